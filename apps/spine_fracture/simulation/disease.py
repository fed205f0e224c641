"""Which findings a patient has: coherent disease, or every level at random for training."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spine_fracture.anatomy import Diagnosis, Feature, Level, Primary
from spine_fracture.simulation.findings import Finding, draw_finding, draw_primary, draw_variant
from spine_fracture.simulation.recipe import PhantomRecipe, SkipLesions

#: Osteoporotic fractures favour the thoracolumbar junction and the middle of the thoracic spine.
_FRACTURE_WEIGHT = {"T11": 2.0, "T12": 4.0, "L1": 4.5, "L2": 2.5, "L3": 1.8, "L4": 1.5, "L5": 0.8,
                    "T6": 1.0, "T7": 1.8, "T8": 1.8, "T9": 1.2, "T10": 1.2}  # fmt: skip

_INDEX = (Diagnosis.BENIGN_FRACTURE, Diagnosis.MALIGNANT)


@dataclass(frozen=True)
class Patient:
    """``marrow_fat`` share of fat in the marrow; ``findings`` by level, head to foot. ``index_level`` is
    the fracture or tumour that was drawn first: the vertebra a study of one vertebra a patient is about.
    """

    age: float
    marrow_fat: float
    primary_tumour: Primary | None
    findings: tuple[tuple[Level, Finding], ...]
    index_level: Level | None = None


def draw_patient(
    levels: tuple[Level, ...], recipe: PhantomRecipe, age: float, rng: np.random.Generator
) -> Patient:
    """A patient of ``age`` years whose spine has these levels."""
    marrow_fat = float(np.clip(0.2 + 0.0045 * age + rng.normal(0, 0.06), 0.15, 0.75))
    bodies = tuple(level for level in levels if level not in (Level.C1, Level.C2))
    diseased = tuple(level for level in bodies if level.order >= recipe.findings_from.order)
    index: Level | None = None
    if recipe.even_levels is not None:
        primary: Primary | None = draw_primary(rng)
        findings: dict[Level, Finding] = _even(diseased, recipe.even_levels, primary, rng)
        if not any(f.diagnosis is Diagnosis.MALIGNANT for f in findings.values()):
            primary = None
    else:
        primary, findings = _by_disease(diseased, recipe, rng)
        index = next((level for level, found in findings.items() if found.diagnosis in _INDEX), None)
    normal = (level for level in bodies if level not in findings and level is not Level.S1)
    findings |= {level: draw_variant(rng) for level in normal if rng.random() < recipe.variants}
    ordered = tuple((level, findings[level]) for level in levels if level in findings)
    return Patient(age, marrow_fat, primary, ordered, index)


def _even(
    bodies: tuple[Level, ...], share: float, primary: Primary | None, rng: np.random.Generator
) -> dict[Level, Finding]:
    """Each presacral level altered with probability ``share``, the three classes alike."""
    kinds = (Diagnosis.BENIGN_FRACTURE, Diagnosis.MALIGNANT, Diagnosis.HEMANGIOMA)
    findings: dict[Level, Finding] = {}
    for level in bodies:
        if level is not Level.S1 and rng.random() < share:
            findings[level] = draw_finding(kinds[int(rng.integers(3))], rng, primary=primary)
    return findings


def _by_disease(
    bodies: tuple[Level, ...], recipe: PhantomRecipe, rng: np.random.Generator
) -> tuple[Primary | None, dict[Level, Finding]]:
    shares = recipe.disease
    findings: dict[Level, Finding] = {}
    primary: Primary | None = None
    presacral = tuple(level for level in bodies if level is not Level.S1)
    draw = rng.random()
    if draw < shares.osteoporosis:
        findings |= _fractures(presacral, recipe.skip_lesions, rng)
    elif draw < shares.osteoporosis + shares.malignant:
        primary = draw_primary(rng)
        findings |= _metastases(bodies, primary, recipe.skip_lesions, rng)
    elif draw < shares.osteoporosis + shares.malignant + shares.infection:
        findings |= _infection(presacral, rng)
    if rng.random() < shares.hemangioma_per_patient:
        free = [level for level in presacral if level not in findings]
        if free:
            findings[free[int(rng.integers(len(free)))]] = draw_finding(Diagnosis.HEMANGIOMA, rng)
    return primary, findings


def _fractures(
    presacral: tuple[Level, ...], skips: SkipLesions | None, rng: np.random.Generator
) -> dict[Level, Finding]:
    """One fracture or up to four, up to five where the shares of skip lesions are given; the first drawn
    first.
    """
    first = draw_finding(Diagnosis.BENIGN_FRACTURE, rng)
    if skips is None:
        several = Feature.SKIP_LESION in first.features or rng.random() < 0.35
        more = int(rng.integers(1, 4)) if several else 0
    else:
        more = _others(skips.benign, rng)
    count = min(len(presacral), 1 + more)
    weights = np.array([_FRACTURE_WEIGHT.get(level, 0.12) for level in presacral])
    chosen = rng.choice(len(presacral), size=count, replace=False, p=weights / weights.sum())
    drawn = (first, *(draw_finding(Diagnosis.BENIGN_FRACTURE, rng) for _ in range(count - 1)))
    if skips is not None:
        drawn = _skipping(drawn)
    return {presacral[int(i)]: finding for i, finding in zip(chosen, drawn, strict=True)}


def _metastases(
    bodies: tuple[Level, ...], primary: Primary, skips: SkipLesions | None, rng: np.random.Generator
) -> dict[Level, Finding]:
    """One lesion, and others elsewhere when the patient has skip lesions, the first drawn first.

    Where the shares of skip lesions are given, the sacrum is left out: benign fractures have none there,
    and a lesion in it would tell the classes apart whatever the shares.
    """
    first = draw_finding(Diagnosis.MALIGNANT, rng, primary=primary)
    if skips is None:
        more = int(rng.integers(1, 6)) if Feature.SKIP_LESION in first.features else 0
    else:
        more = _others(skips.malignant, rng)
        bodies = tuple(level for level in bodies if level is not Level.S1)
    weights = np.array([{"C": 0.4, "T": 1.0, "L": 1.5, "S": 0.6}[level.region] for level in bodies])
    size = min(1 + more, len(bodies))
    chosen = rng.choice(len(bodies), size=size, replace=False, p=weights / weights.sum())
    others = (draw_finding(Diagnosis.MALIGNANT, rng, primary=primary) for _ in range(len(chosen) - 1))
    drawn = (first, *others)
    if skips is not None:
        drawn = _skipping(drawn)
    return {bodies[int(i)]: finding for i, finding in zip(chosen, drawn, strict=True)}


def _others(share: float, rng: np.random.Generator) -> int:
    """How many more lesions a patient has, when ``share`` of patients have any: alike in both classes, so
    that nothing but the share makes their number telling.
    """
    return int(rng.integers(1, 5)) if rng.random() < share else 0


def _skipping(drawn: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The same findings, whose feature of a skip lesion says whether there is another of them."""
    skip = frozenset({Feature.SKIP_LESION})
    several = len(drawn) > 1
    return tuple(replace(f, features=f.features | skip if several else f.features - skip) for f in drawn)


def _infection(presacral: tuple[Level, ...], rng: np.random.Generator) -> dict[Level, Finding]:
    """Both bodies beside one disc."""
    at = int(rng.integers(max(1, len(presacral) - 1)))
    upper = draw_finding(Diagnosis.OTHER, rng)
    pair = {presacral[at]: Finding(Diagnosis.OTHER, upper.features, activity=upper.activity, extent=0.9)}
    if at + 1 < len(presacral):
        pair[presacral[at + 1]] = Finding(
            Diagnosis.OTHER, upper.features, activity=upper.activity, extent=0.1
        )
    return pair
