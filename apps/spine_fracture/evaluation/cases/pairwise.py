"""Several models on the same cases, each against each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from spine_fracture.errors import InputError, InsufficientEvidenceError
from spine_fracture.evaluation.answers import Answers, Part, Question
from spine_fracture.evaluation.cases.binary import Metric, drawn_metrics
from spine_fracture.evaluation.cases.differences import FEWEST, Difference, drawn_difference, with_holm
from spine_fracture.evaluation.cases.judging import fixed_threshold
from spine_fracture.evaluation.cases.scores import (
    Scores,
    Unit,
    answered_by,
    case_key,
    question_of,
    shared,
    unit_scores,
)
from spine_fracture.evaluation.cases.thresholds import Threshold
from spine_fracture.evaluation.statistics.delong import AucComparison, delong_difference
from spine_fracture.evaluation.statistics.intervals import FloatArray, IntArray, Resampling
from spine_fracture.evaluation.statistics.paired import McNemar, holm_of_known, mcnemar

#: What models are compared by.
COMPARED = (Metric.AUC, Metric.ACCURACY, Metric.BALANCED_ACCURACY, Metric.MACRO_F1)


@dataclass(frozen=True)
class Pair:
    """Two models on the cases that both have answered.

    DeLong's and McNemar's tests ask for independent cases, so they are None by level, DeLong's also where a
    cross-validation answered, and both with too few patients; what the cases do not allow is missing or None
    too. The ``_holm`` p values are adjusted over all pairs of a table.
    """

    first: str
    second: str
    cases: int
    patients: int
    differences: tuple[Difference, ...]
    delong: AucComparison | None
    delong_holm: float | None
    mcnemar: McNemar | None
    mcnemar_holm: float | None

    def of(self, metric: Metric) -> Difference | None:
        return next((d for d in self.differences if d.metric == metric), None)


@dataclass(frozen=True)
class PairwiseTable:
    part: Part
    unit: Unit
    question: str
    systems: tuple[str, ...]
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, eq=False)
class Contestant:
    """A model's scores with its threshold."""

    name: str
    scores: Scores
    threshold: Threshold

    @property
    def right(self) -> list[bool]:
        return [bool(same) for same in self.threshold.calls(self.scores) == self.scores.positive]


class _Drawings:
    """The drawn metrics of models, worked out once for all pairs that are judged on the same cases."""

    def __init__(self, how: Resampling) -> None:
        self.how = how
        self._drawn: dict[Hashable, Mapping[Metric, FloatArray]] = {}

    def of(self, scores: Scores, threshold: Threshold, models: IntArray) -> Mapping[Metric, FloatArray]:
        cases = tuple(case_key(case, scores.unit) for case in scores.cases)
        asked = (cases, *(given.tobytes() for given in (scores.score, threshold.calls(scores), models)))
        if asked not in self._drawn:
            self._drawn[asked] = drawn_metrics(scores, threshold, self.how, models)
        return self._drawn[asked]


def compare(
    answers: Sequence[Answers],
    question: Question | None = None,
    *,
    part: Part = Part.TEST,
    unit: Unit = Unit.PATIENT,
    resampling: Resampling | None = None,
) -> PairwiseTable:
    """Every pair of these models, the later one against the earlier, on what both have answered.

    Each model's threshold is fixed on its validation part.
    """
    if not answers:
        raise InputError("A comparison needs the answers of at least one model.")
    asked = question_of(answers[0], question)
    contestants = [
        Contestant(name, unit_scores(a, part, unit, asked), fixed_threshold(a, unit, asked))
        for name, a in zip(_names(answers), answers, strict=True)
    ]
    both = list(combinations(contestants, 2))
    drawings = _Drawings((resampling or Resampling()).enough_for(len(both)))
    pairs = [_pair(first, second, drawings) for first, second in both]
    return PairwiseTable(part, unit, asked.name, tuple(c.name for c in contestants), _adjusted(pairs))


def paired_difference(
    first: Contestant, second: Contestant, metric: Metric, resampling: Resampling | None = None
) -> Difference | None:
    """``second - first`` on the cases both have answered; None where these do not allow it."""
    found = _differences(*_on_shared_cases(first, second), (metric,), _Drawings(resampling or Resampling()))
    return found[0] if found else None


def _pair(first: Contestant, second: Contestant, drawings: _Drawings) -> Pair:
    first, second = _on_shared_cases(first, second)
    by_patient = first.scores.unit is Unit.PATIENT and first.scores.patients >= FEWEST
    return Pair(
        first=first.name,
        second=second.name,
        cases=len(first.scores),
        patients=first.scores.patients,
        differences=_differences(first, second, COMPARED, drawings),
        delong=_delong(first, second, drawings.how) if by_patient else None,
        delong_holm=None,
        mcnemar=mcnemar(first.right, second.right) if by_patient else None,
        mcnemar_holm=None,
    )


def _on_shared_cases(first: Contestant, second: Contestant) -> tuple[Contestant, Contestant]:
    one, other = shared([first.scores, second.scores])
    if not np.array_equal(one.positive, other.positive):
        raise InputError(
            f"{first.name} and {second.name} were told different truths about the same patients: "
            "let both answer the same cohort."
        )
    return replace(first, scores=one), replace(second, scores=other)


def _differences(
    first: Contestant, second: Contestant, metrics: Sequence[Metric], drawings: _Drawings
) -> tuple[Difference, ...]:
    """Those of the metrics that the cases, the same ones for both, allow."""
    if first.scores.patients < 2:
        return ()
    models = answered_by(first.scores, second.scores)  # both AUCs are of the same pairs of cases
    one, other = (drawings.of(c.scores, c.threshold, models) for c in (first, second))
    counts = len(first.scores), first.scores.patients
    return tuple(
        drawn_difference(metric, one[metric], other[metric], *counts, drawings.how)
        for metric in metrics
        if not np.isnan(other[metric][0] - one[metric][0])
    )


def _delong(first: Contestant, second: Contestant, how: Resampling) -> AucComparison | None:
    if answered_by(first.scores, second.scores).any():  # a cross-validation's, not to be ranked together
        return None
    try:
        return delong_difference(
            first.scores.score, second.scores.score, first.scores.positive, how.confidence
        )
    except InsufficientEvidenceError:
        return None


def _adjusted(pairs: Sequence[Pair]) -> tuple[Pair, ...]:
    """With Holm's p over all pairs, for each test apart."""
    by_delong = holm_of_known([pair.delong.p_value if pair.delong else None for pair in pairs])
    by_mcnemar = holm_of_known([pair.mcnemar.p_exact if pair.mcnemar else None for pair in pairs])
    by_metric = [with_holm([pair.of(metric) for pair in pairs]) for metric in COMPARED]
    return tuple(
        replace(
            pair,
            differences=tuple(found for found in (of_all[at] for of_all in by_metric) if found is not None),
            delong_holm=by_delong[at],
            mcnemar_holm=by_mcnemar[at],
        )
        for at, pair in enumerate(pairs)
    )


def _names(answers: Sequence[Answers]) -> list[str]:
    """Systems by name, with the seed where one is there more than once."""
    often = Counter(a.system for a in answers)
    return [a.system if often[a.system] == 1 else f"{a.system}, seed {a.seed}" for a in answers]
