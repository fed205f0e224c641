"""The gate: a candidate serves only when it is better than the champion beyond doubt.

Both models answer the same levels of the locked test patients, whose class is known from blinded
reads or a reference standard. The candidate is promoted when the lower end of the paired,
patient-level bootstrap interval of the difference in macro-F1 is above a margin.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis
from spine_fracture.configuration import Config, Count, Share
from spine_fracture.errors import InputError
from spine_fracture.evaluation.statistics.intervals import Estimate, Resampling, macro_f1_difference
from spine_fracture.evaluation.statistics.metrics import ClassScore, class_scores, confusion, macro_f1


class GateConfig(Config):
    """What is asked of a candidate, and the least evidence to decide on.

    A ``margin`` below 0 would promote what is worse, and a ``confidence`` of a half or less what is as likely
    worse as better.
    """

    margin: Share = 0.0
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    draws: Count = 2000
    seed: Annotated[int, Field(ge=0)] = 2026
    minimum_patients: Count = 10
    minimum_malignant_levels: Count = 5


class Verdict(StrEnum):
    PROMOTE = "promote"
    KEEP = "keep"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class TestLevel:
    """One level of a locked test patient: what it is and what each model answered."""

    __test__ = False  # not a test case of pytest's

    patient: str
    truth: Diagnosis
    champion: Diagnosis
    candidate: Diagnosis


@dataclass(frozen=True)
class GateDecision:
    """The verdict with every number it rests on.

    ``missing`` is filled only when undecided. ``difference`` is candidate minus champion; None
    when it could not be computed. ``excluded`` counts levels whose truth no model is asked for
    (other, indeterminate).
    """

    verdict: Verdict
    explanation: str
    missing: tuple[str, ...]
    champion: str
    candidate: str
    patients: int
    levels: int
    malignant_levels: int
    excluded: int
    champion_macro_f1: float | None
    candidate_macro_f1: float | None
    difference: Estimate | None
    margin: float
    champion_classes: tuple[ClassScore, ...]
    candidate_classes: tuple[ClassScore, ...]

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=2)


def decide(
    levels: Sequence[TestLevel], *, champion: str, candidate: str, config: GateConfig | None = None
) -> GateDecision:
    """Compare two model versions on the same test levels."""
    rules = config or GateConfig()
    if champion == candidate:
        raise InputError(f"Model {champion} cannot be its own rival: name two versions.")
    scored = [level for level in levels if level.truth in MODEL_CLASSES]
    patients = len({level.patient for level in scored})
    malignant = Counter(level.truth for level in scored)[Diagnosis.MALIGNANT]
    missing = tuple(
        f"needs {needed} {what}, has {has}"
        for what, needed, has in (
            ("test patients", rules.minimum_patients, patients),
            ("malignant test levels", rules.minimum_malignant_levels, malignant),
        )
        if has < needed
    )
    truth = [MODEL_CLASSES.index(level.truth) for level in scored]
    first = [_answer(level.champion) for level in scored]
    second = [_answer(level.candidate) for level in scored]
    matrices = [confusion(truth, answers, len(MODEL_CLASSES)) for answers in (first, second)]
    difference = None
    if patients >= 2:
        how = Resampling(rules.draws, rules.confidence, rules.seed)
        owners = [level.patient for level in scored]
        difference = macro_f1_difference(truth, first, second, owners, len(MODEL_CLASSES), how)
    verdict, explanation = _judge(missing, difference, rules)
    return GateDecision(
        verdict=verdict,
        explanation=explanation,
        missing=missing,
        champion=champion,
        candidate=candidate,
        patients=patients,
        levels=len(scored),
        malignant_levels=malignant,
        excluded=len(levels) - len(scored),
        champion_macro_f1=float(macro_f1(matrices[0])) if scored else None,
        candidate_macro_f1=float(macro_f1(matrices[1])) if scored else None,
        difference=difference,
        margin=rules.margin,
        champion_classes=class_scores(matrices[0], MODEL_CLASSES),
        candidate_classes=class_scores(matrices[1], MODEL_CLASSES),
    )


def _judge(missing: tuple[str, ...], difference: Estimate | None, rules: GateConfig) -> tuple[Verdict, str]:
    if missing or difference is None:
        lacks = missing or ("needs 2 test patients to compare on",)
        return Verdict.UNDECIDED, f"Too little evidence to decide: {'; '.join(lacks)}. The champion stays."
    interval = (
        f"macro-F1 changes by {difference.value:+.3f} "
        f"({difference.confidence:.0%} interval {difference.low:+.3f} to {difference.high:+.3f})"
    )
    if difference.low > rules.margin:
        return Verdict.PROMOTE, f"Better beyond the margin of {rules.margin:.3f}: {interval}."
    return (
        Verdict.KEEP,
        f"Not shown to be better by more than {rules.margin:.3f}: {interval}. The champion stays.",
    )


def _answer(diagnosis: Diagnosis) -> int:
    if diagnosis not in MODEL_CLASSES:
        raise InputError(f"A model cannot answer {diagnosis}: its classes are {', '.join(MODEL_CLASSES)}.")
    return MODEL_CLASSES.index(diagnosis)
