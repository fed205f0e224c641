"""Yes-or-no answers at a threshold: what clinicians ask of a test, each figure with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from spine_fracture.errors import InsufficientEvidenceError
from spine_fracture.evaluation.answers import Part
from spine_fracture.evaluation.cases.scores import Scores, Unit, answered_by
from spine_fracture.evaluation.cases.thresholds import Threshold
from spine_fracture.evaluation.statistics.calibration import BinOfScores, reliability
from spine_fracture.evaluation.statistics.decision_curve import NetBenefit, decision_curve
from spine_fracture.evaluation.statistics.delong import delong
from spine_fracture.evaluation.statistics.intervals import (
    Estimate,
    FloatArray,
    IntArray,
    Resampling,
    drawn_auc,
    drawn_sums,
    estimate,
    sums_by_patient,
)
from spine_fracture.evaluation.statistics.metrics import macro_f1
from spine_fracture.evaluation.statistics.shares import ratio, share


class Metric(StrEnum):
    """The figures that have an interval; each is the name of a field of :class:`BinaryResult`."""

    SENSITIVITY = "sensitivity"
    SPECIFICITY = "specificity"
    PPV = "ppv"
    NPV = "npv"
    ACCURACY = "accuracy"
    BALANCED_ACCURACY = "balanced_accuracy"
    F1 = "f1"
    MACRO_F1 = "macro_f1"
    AUC = "auc"
    BRIER = "brier"


@dataclass(frozen=True)
class Counts:
    """The fourfold table at the threshold."""

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int


@dataclass(frozen=True)
class RocPoint:
    """``false_positives`` is 1 - specificity, ``true_positives`` sensitivity, from one threshold on."""

    false_positives: float
    true_positives: float


@dataclass(frozen=True)
class BinaryResult:
    """How one question was answered about one part, by level or by patient.

    Intervals are by bootstrap over patients; a share that is 0 or 1 in the sample, which no draw can
    change, has the exact interval of its patients (Clopper and Pearson 1934). ``auc_delong`` treats
    cases as independent: by level it is too narrow, and the one to quote is ``auc``. A figure that
    the cases do not allow is None, and ``missing`` says why. ``ece`` has no interval, since drawing
    cases anew always raises it.

    Of a cross-validation as many ``models`` as there are folds answered. Then ``auc`` counts pairs of cases
    of one model and there is no ``auc_delong``; all else that is worked out from scores pools them.
    """

    part: Part
    unit: Unit
    question: str
    cases: int
    patients: int
    positives: int
    models: int
    threshold: Threshold
    counts: Counts
    sensitivity: Estimate | None
    specificity: Estimate | None
    ppv: Estimate | None
    npv: Estimate | None
    accuracy: Estimate | None
    balanced_accuracy: Estimate | None
    f1: Estimate | None
    macro_f1: Estimate | None
    auc: Estimate | None
    auc_delong: Estimate | None
    brier: Estimate | None
    ece: float
    reliability: tuple[BinOfScores, ...]
    roc: tuple[RocPoint, ...]
    decision: tuple[NetBenefit, ...]
    missing: tuple[str, ...]

    def of(self, metric: Metric) -> Estimate | None:
        value = getattr(self, metric.value)
        assert value is None or isinstance(value, Estimate)
        return value


def judge_scores(
    scores: Scores, part: Part, question: str, threshold: Threshold, resampling: Resampling | None = None
) -> BinaryResult:
    """All figures of these scores; needs two patients."""
    how = resampling or Resampling()
    drawn = drawn_metrics(scores, threshold, how)
    by_patient = _by_patient(scores, threshold)
    estimates = {
        metric: None if np.isnan(values[0]) else estimate(values, how.confidence)
        for metric, values in drawn.items()
    } | {
        metric: share(by_patient[:, of].sum(axis=1), by_patient[:, among].sum(axis=1), how)
        for metric, (of, among) in _SHARES.items()
    }
    by_metric: dict[str, Estimate | None] = {metric.value: value for metric, value in estimates.items()}
    truth, called = scores.positive, threshold.calls(scores)
    points, ece = reliability(scores.score, truth)
    return BinaryResult(
        part=part,
        unit=scores.unit,
        question=question,
        cases=len(scores),
        patients=scores.patients,
        positives=scores.positives,
        models=int(answered_by(scores).max()) + 1,
        threshold=threshold,
        counts=Counts(
            true_positive=int((truth & called).sum()),
            false_positive=int((~truth & called).sum()),
            false_negative=int((truth & ~called).sum()),
            true_negative=int((~truth & ~called).sum()),
        ),
        auc_delong=_delong(scores, how),
        ece=ece,
        reliability=points,
        roc=_roc(scores),
        decision=decision_curve(scores.score, truth),
        missing=_missing(scores, estimates),
        **by_metric,
    )


#: Figures that are one share of cases: (what counts, of what), by columns of :func:`_columns`.
_TP, _FP, _FN, _TN, _SQUARES = range(5)
_SHARES = {
    Metric.SENSITIVITY: ((_TP,), (_TP, _FN)),
    Metric.SPECIFICITY: ((_TN,), (_TN, _FP)),
    Metric.PPV: ((_TP,), (_TP, _FP)),
    Metric.NPV: ((_TN,), (_TN, _FN)),
    Metric.ACCURACY: ((_TP, _TN), (_TP, _FP, _FN, _TN)),
}


def drawn_metrics(
    scores: Scores, threshold: Threshold, how: Resampling, models: IntArray | None = None
) -> Mapping[Metric, FloatArray]:
    """Drawn values of every metric; NaN where a draw has no case that a metric needs.

    ``models`` (n,), by default those that answered: the AUC counts pairs of cases of one of them.
    """
    answered = answered_by(scores) if models is None else models
    sums = drawn_sums(_by_patient(scores, threshold), how)
    tp, fp, fn, tn, squares = sums.T
    drawn = {
        metric: ratio(sums[:, of].sum(axis=1), sums[:, among].sum(axis=1))
        for metric, (of, among) in _SHARES.items()
    }
    matrices = np.stack([np.stack([tn, fp], axis=1), np.stack([fn, tp], axis=1)], axis=1)
    return drawn | {
        Metric.BALANCED_ACCURACY: (drawn[Metric.SENSITIVITY] + drawn[Metric.SPECIFICITY]) / 2,
        Metric.F1: ratio(2 * tp, 2 * tp + fp + fn),
        Metric.MACRO_F1: macro_f1(matrices),
        Metric.AUC: drawn_auc(scores.score, scores.positive, scores.index, how, models=answered),
        Metric.BRIER: ratio(squares, tp + fp + fn + tn),
    }


def _by_patient(scores: Scores, threshold: Threshold) -> FloatArray:
    truth, called = scores.positive, threshold.calls(scores)
    columns = [
        truth & called,
        ~truth & called,
        truth & ~called,
        ~truth & ~called,
        (scores.score - truth) ** 2,
    ]
    return sums_by_patient(np.stack(columns, axis=1), scores.index)


def _missing(scores: Scores, estimates: Mapping[Metric, Estimate | None]) -> tuple[str, ...]:
    lacks = [
        name
        for name, n in (("positive", scores.positives), ("negative", len(scores) - scores.positives))
        if not n
    ]
    because = f"there is no {' and no '.join(lacks)} case" if lacks else "no case was called so"
    of_auc = because if lacks else "no model of a fold judged a positive and a negative case"
    return tuple(
        f"{metric}: {of_auc if metric is Metric.AUC else because}"
        for metric, value in estimates.items()
        if value is None
    )


def _delong(scores: Scores, how: Resampling) -> Estimate | None:
    if answered_by(scores).any():  # more than one model: their scores are not to be ranked together
        return None
    try:
        return delong(scores.score, scores.positive, how.confidence)
    except InsufficientEvidenceError:
        return None


def _roc(scores: Scores) -> tuple[RocPoint, ...]:
    from sklearn.metrics import roc_curve

    if not 0 < scores.positives < len(scores):
        return ()
    false, true, _ = roc_curve(scores.positive, scores.score)
    return tuple(RocPoint(float(x), float(y)) for x, y in zip(false, true, strict=True))
