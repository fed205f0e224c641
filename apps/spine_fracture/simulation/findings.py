"""What a simulated level has: a diagnosis and imaging features drawn as often as in life.

Prevalences are those of Yeh et al. 2022, Table 1 (50 malignant and 140 benign vertebrae). Features
that exclude each other are drawn together from the joint distribution of greatest entropy that has
these prevalences and gives excluded combinations no weight (iterative proportional fitting), which
is what redrawing does, without the shift in prevalence that redrawing brings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import product

import numpy as np

from spine_fracture.anatomy import COLLAPSE_FEATURES, Diagnosis, Feature, Primary, contradiction


class Pattern(StrEnum):
    """How a tumour replaces marrow."""

    LYTIC = "lytic"
    SCLEROTIC = "sclerotic"
    MIXED = "mixed"
    EXPANSILE = "expansile"
    MICRONODULAR = "micronodular"


class Variant(StrEnum):
    """What a normal level may show, and what must not be taken for a finding."""

    SCHMORL_NODE = "schmorl_node"
    FATTY_ENDPLATE = "fatty_endplate"  # Modic 2
    OEDEMATOUS_ENDPLATE = "oedematous_endplate"  # Modic 1
    FAT_ISLAND = "fat_island"
    MILD_WEDGE = "mild_wedge"  # physiological, up to about a tenth of the height


#: Share of each pattern by primary, and of each primary among patients.
PATTERNS: Mapping[Primary, tuple[tuple[Pattern, float], ...]] = {
    Primary.BREAST: ((Pattern.MIXED, 0.5), (Pattern.LYTIC, 0.3), (Pattern.SCLEROTIC, 0.2)),
    Primary.LUNG: ((Pattern.LYTIC, 0.85), (Pattern.MIXED, 0.15)),
    Primary.PROSTATE: ((Pattern.SCLEROTIC, 0.85), (Pattern.MIXED, 0.15)),
    Primary.RENAL: ((Pattern.EXPANSILE, 0.7), (Pattern.LYTIC, 0.3)),
    Primary.MYELOMA: ((Pattern.MICRONODULAR, 0.5), (Pattern.LYTIC, 0.5)),
}
PRIMARIES: Mapping[Primary, float] = {
    Primary.BREAST: 0.28,
    Primary.LUNG: 0.26,
    Primary.PROSTATE: 0.18,
    Primary.RENAL: 0.1,
    Primary.MYELOMA: 0.18,
}

_TABLE: tuple[tuple[Feature, int, int], ...] = (
    (Feature.NO_COLLAPSE, 17, 3),
    (Feature.ANTERIOR_WEDGE, 7, 77),
    (Feature.WHOLE_BODY_COMPRESSION, 25, 54),
    (Feature.CENTRAL_CONCAVE, 14, 59),
    (Feature.HOMOGENEOUS_MARROW, 0, 48),
    (Feature.DARK_LINE, 0, 37),
    (Feature.BAND_OEDEMA, 2, 44),
    (Feature.DARK_PATCH, 5, 14),
    (Feature.CLEFT, 1, 8),
    (Feature.DIFFUSE_CHANGE, 44, 31),
    (Feature.NODULAR_LESION, 11, 0),
    (Feature.BORDER_PROTRUSION, 16, 19),
    (Feature.SOFT_TISSUE_MASS, 22, 1),
    (Feature.POSTERIOR_ELEMENTS, 5, 0),
    (Feature.SKIP_LESION, 39, 8),
)
#: Yeh et al. 2022, Table 1, as shares.
PREVALENCE: Mapping[Diagnosis, Mapping[Feature, float]] = {
    Diagnosis.MALIGNANT: {feature: malignant / 50 for feature, malignant, _ in _TABLE},
    Diagnosis.BENIGN_FRACTURE: {feature: benign / 140 for feature, _, benign in _TABLE},
}
#: Lateral to the canal, or in another vertebra: one mid-sagittal slice cannot show them.
NOT_ON_ONE_SLICE = frozenset({Feature.POSTERIOR_ELEMENTS, Feature.SKIP_LESION})

_COLLAPSE_GROUP = (Feature.NO_COLLAPSE, *sorted(COLLAPSE_FEATURES))
_MARROW_GROUP = (
    Feature.HOMOGENEOUS_MARROW,
    Feature.DIFFUSE_CHANGE,
    Feature.BAND_OEDEMA,
    Feature.DARK_PATCH,
    Feature.NODULAR_LESION,
)


@dataclass(frozen=True)
class Finding:
    """One level's finding. ``severity`` is the share of height lost where the body has collapsed;
    ``activity`` how strong marrow change is, both in [0, 1]; ``extent`` the share of the body that a
    focal lesion takes. ``variant`` only where the diagnosis is normal.
    """

    diagnosis: Diagnosis
    features: frozenset[Feature] = frozenset()
    primary: Primary | None = None
    pattern: Pattern | None = None
    severity: float = 0.0
    activity: float = 1.0
    extent: float = 0.5
    variant: Variant | None = None

    @property
    def collapsed(self) -> bool:
        return bool(self.features & COLLAPSE_FEATURES)

    @property
    def deforms(self) -> bool:
        """Whether the body's outline changes."""
        return (
            self.collapsed or Feature.BORDER_PROTRUSION in self.features or self.variant is Variant.MILD_WEDGE
        )


NULL_FINDING = Finding(Diagnosis.NORMAL)


def draw_finding(
    diagnosis: Diagnosis,
    rng: np.random.Generator,
    *,
    single_slice: bool = False,
    primary: Primary | None = None,
) -> Finding:
    """A finding of this class. ``single_slice`` leaves out what one slice cannot show; ``primary`` is
    the patient's tumour, drawn when not given and the class is malignant.
    """
    if diagnosis is Diagnosis.NORMAL:
        return NULL_FINDING
    if diagnosis is Diagnosis.HEMANGIOMA:
        whole = rng.random() < 0.3
        marks = {Feature.NO_COLLAPSE} | ({Feature.DIFFUSE_CHANGE} if whole else set())
        extent = rng.uniform(0.8, 1.0) if whole else rng.uniform(0.2, 0.7)
        return Finding(diagnosis, frozenset(marks), extent=extent, activity=rng.uniform(0.45, 1))
    if diagnosis is Diagnosis.OTHER:
        marks = {Feature.NO_COLLAPSE, Feature.DIFFUSE_CHANGE}
        marks |= {Feature.SOFT_TISSUE_MASS} if rng.random() < 0.4 else set()
        return Finding(diagnosis, frozenset(marks), activity=rng.uniform(0.7, 1), extent=rng.uniform(0.5, 1))
    features = _draw_features(diagnosis, rng)
    if single_slice:
        features -= NOT_ON_ONE_SLICE
    severity = float(rng.uniform(0.2, 0.62))
    activity = float(rng.uniform(0.55, 1))
    if diagnosis is Diagnosis.BENIGN_FRACTURE:
        return Finding(
            diagnosis, features, severity=severity, activity=activity, extent=rng.uniform(0.3, 0.7)
        )
    primary = primary or draw_primary(rng)
    kinds = PATTERNS[primary]
    pattern = kinds[int(rng.choice(len(kinds), p=[share for _, share in kinds]))][0]
    return Finding(diagnosis, features, primary, pattern, severity, activity, float(rng.uniform(0.3, 0.75)))


def draw_variant(rng: np.random.Generator) -> Finding:
    """A normal level with a degenerative or other harmless change."""
    kinds = tuple(Variant)
    return Finding(
        Diagnosis.NORMAL,
        variant=kinds[int(rng.integers(len(kinds)))],
        severity=float(rng.uniform(0.04, 0.12)),
        activity=float(rng.uniform(0.4, 1)),
        extent=float(rng.uniform(0.2, 0.5)),
    )


def draw_primary(rng: np.random.Generator) -> Primary:
    names = tuple(PRIMARIES)
    return names[int(rng.choice(len(names), p=[PRIMARIES[name] for name in names]))]


def _draw_features(diagnosis: Diagnosis, rng: np.random.Generator) -> frozenset[Feature]:
    drawn: set[Feature] = set()
    for combinations, weights in (_joint(diagnosis, _COLLAPSE_GROUP), _joint(diagnosis, _MARROW_GROUP)):
        drawn |= combinations[int(rng.choice(len(combinations), p=weights))]
    for feature, prevalence in PREVALENCE[diagnosis].items():
        if feature not in _COLLAPSE_GROUP and feature not in _MARROW_GROUP and rng.random() < prevalence:
            drawn.add(feature)
    return frozenset(drawn)


def _impossible(features: frozenset[Feature]) -> bool:
    """Combinations no vertebra shows: those of anatomy.contradiction, homogeneous marrow with any
    marrow lesion, and (within the collapse group) neither collapse nor its absence.
    """
    marrow = features & frozenset(_MARROW_GROUP)
    return contradiction(features) is not None or (Feature.HOMOGENEOUS_MARROW in marrow and len(marrow) > 1)


@lru_cache
def _joint(
    diagnosis: Diagnosis, group: tuple[Feature, ...]
) -> tuple[tuple[frozenset[Feature], ...], tuple[float, ...]]:
    """Allowed combinations of a group of features, and the probability of each."""
    bits = np.array(list(product((False, True), repeat=len(group))))
    combinations = [frozenset(f for f, on in zip(group, row, strict=True) if on) for row in bits]
    allowed = np.array([not _impossible(c) for c in combinations])
    if group == _COLLAPSE_GROUP:
        allowed &= bits.any(axis=1)
    prevalence = np.array([PREVALENCE[diagnosis][feature] for feature in group])
    weights = allowed * np.where(bits, prevalence, 1 - prevalence).prod(axis=1)
    for _ in range(2000):
        for at, wanted in enumerate(prevalence):
            has = bits[:, at]
            for side, share in ((has, wanted), (~has, 1 - wanted)):
                total = weights[side].sum()
                if total > 0:
                    weights[side] *= share / total
    return tuple(combinations), tuple((weights / weights.sum()).tolist())
