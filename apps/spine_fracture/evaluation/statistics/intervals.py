"""Intervals that respect what belongs together: the patient is the unit that is drawn.

Levels of one patient are alike, so resampling levels would promise too narrow an interval. The
cluster bootstrap draws whole patients with replacement (Field and Welsh 2007, J. R. Stat. Soc. B
69:369; percentile interval of Efron and Tibshirani 1993, chapter 13).

A statistic is worked out for all draws at once. What comes out, here and in the modules that use
this one, is *drawn values*: an array (1 + draws,), the sample's own value first. Drawn values of two
models on the same patients may be subtracted, which gives a paired comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from spine_fracture.errors import InputError, InsufficientEvidenceError
from spine_fracture.evaluation.statistics.metrics import macro_f1

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
#: Takes statistics summed over patients, shape (draws, ...), to one value a draw, shape (draws,).
Statistic = Callable[[FloatArray], FloatArray]
#: Numbers held in memory at once while cases of all draws are weighed.
_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Estimate:
    """A value with its two-sided interval: ``confidence`` 0.95 is the 2.5th to the 97.5th percentile.

    It has no interval where ``low`` is ``high``: where a sample is, say, wholly separated, all draws of it
    are too, and tell nothing of how far the value would fall in others.
    """

    value: float
    low: float
    high: float
    confidence: float

    @property
    def has_interval(self) -> bool:
        return self.low < self.high


@dataclass(frozen=True)
class Resampling:
    """How to draw. The same seed gives the same interval."""

    draws: int = 2000
    confidence: float = 0.95
    seed: int = 2026

    def enough_for(self, tests: int) -> Resampling:
        """With as many draws as ``tests`` need whose p are adjusted together.

        Their p are at least 2 / (draws + 1), and Holm multiplies the smallest by ``tests``: with less than 40
        draws a test none could fall below 0.05, so half as many again are made.
        """
        return replace(self, draws=max(self.draws, 60 * tests))


def patient_indices(patients: Sequence[Hashable]) -> IntArray:
    """For each level the number of its patient, 0.. in order of first appearance."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(patient, len(numbers)) for patient in patients], dtype=np.int64)


@lru_cache(maxsize=8)
def patient_weights(patients: int, how: Resampling) -> FloatArray:
    """How often each patient counts, shape (1 + draws, patients): once each, then as drawn. Read-only."""
    if patients < 2:
        raise InsufficientEvidenceError(f"A bootstrap over patients needs 2 patients, has {patients}.")
    rng = np.random.default_rng(how.seed)
    drawn = rng.multinomial(patients, np.full(patients, 1 / patients), size=how.draws)
    weights: FloatArray = np.concatenate([np.ones((1, patients)), drawn])
    weights.setflags(write=False)
    return weights


def estimate(drawn: FloatArray, confidence: float) -> Estimate:
    """The percentile interval of drawn values; draws in which they are undefined (NaN) are left out."""
    defined = drawn[1:][~np.isnan(drawn[1:])]
    if np.isnan(drawn[0]) or not defined.size:
        raise InsufficientEvidenceError(
            "The statistic is undefined in the sample or in every draw: more patients are needed."
        )
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Estimate(float(drawn[0]), float(low), float(high), confidence)


def two_sided_p(drawn: FloatArray) -> float:
    """Of a drawn difference: twice the share of draws on the rarer side of zero, at least 1 in draws + 1.

    Davison and Hinkley 1997, section 4.2: the sample counts as one draw, so p is never 0.
    """
    draws = drawn[1:][~np.isnan(drawn[1:])]
    rarer = min((draws <= 0).sum(), (draws >= 0).sum())
    return float(min(1.0, 2 * (rarer + 1) / (draws.size + 1)))


def cluster_bootstrap(
    per_patient: npt.ArrayLike, statistic: Statistic, resampling: Resampling | None = None
) -> Estimate:
    """Interval of a statistic that depends on sums over patients.

    ``per_patient`` has shape (patients, ...), what each patient adds (counts, a confusion matrix).
    """
    how = resampling or Resampling()
    return estimate(statistic(drawn_sums(np.asarray(per_patient, dtype=np.float64), how)), how.confidence)


def drawn_sums(per_patient: FloatArray, how: Resampling) -> FloatArray:
    """What patients add, shape (patients, ...), summed in each draw: (1 + draws, ...)."""
    weights = patient_weights(len(per_patient), how)
    flat = weights @ per_patient.reshape(len(per_patient), -1)
    return flat.reshape(len(weights), *per_patient.shape[1:])


def sums_by_patient(values: npt.ArrayLike, index: IntArray) -> FloatArray:
    """Rows (n, k), one a level, added up by patient ``index`` (n,): (patients, k)."""
    rows = np.asarray(values, dtype=np.float64)
    return np.stack([np.bincount(index, weights=column) for column in rows.T], axis=1)


def macro_f1_difference(
    truth: npt.ArrayLike,
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    patients: Sequence[Hashable],
    classes: int,
    resampling: Resampling | None = None,
) -> Estimate:
    """Macro-F1 of ``second`` minus ``first`` on the same levels, paired by patient.

    All four are equally long, one entry a level; answers are class indices.
    """
    t = np.asarray(truth, dtype=np.int64)
    answers = np.stack([np.asarray(first, dtype=np.int64), np.asarray(second, dtype=np.int64)])
    if answers.shape != (2, t.size) or len(patients) != t.size:
        raise InputError("Truth, both answers and patients must have one entry a level.")
    per_patient = np.stack([patient_confusions(t, answer, patients, classes) for answer in answers], axis=1)

    def difference(sums: FloatArray) -> FloatArray:
        scores = macro_f1(sums)
        return np.asarray(scores[:, 1] - scores[:, 0])

    return cluster_bootstrap(per_patient, difference, resampling)


def patient_confusions(
    truth: npt.ArrayLike, answer: npt.ArrayLike, patients: Sequence[Hashable], classes: int
) -> FloatArray:
    """A confusion matrix for each patient, shape (patients, classes, classes)."""
    index = patient_indices(patients)
    counts = np.zeros((int(index.max(initial=-1)) + 1, classes, classes))
    np.add.at(counts, (index, np.asarray(truth), np.asarray(answer)), 1.0)
    return counts


def auc_interval(
    score: npt.ArrayLike,
    positive: npt.ArrayLike,
    patients: Sequence[Hashable],
    resampling: Resampling | None = None,
) -> Estimate:
    """Area under the ROC curve with a patient-cluster bootstrap interval."""
    how = resampling or Resampling()
    labels = np.asarray(positive, dtype=bool)
    if labels.all() or not labels.any():
        raise InsufficientEvidenceError("An AUC needs at least one positive and one negative level.")
    drawn = drawn_auc(np.asarray(score, dtype=np.float64), labels, patient_indices(patients), how)
    return estimate(drawn, how.confidence)


def drawn_auc(
    score: FloatArray,
    positive: npt.NDArray[np.bool_],
    index: IntArray,
    how: Resampling,
    *,
    patients: int = 0,
    models: IntArray | None = None,
) -> FloatArray:
    """Drawn values of the AUC, ties counting half; ``index`` (n,) is the patient of each case. Draws are of
    ``patients``, where there are more of them than have cases here.

    Where ``models`` (n,) tells which model scored each case, only pairs of cases of one model are counted:
    the scores of another may lie on another scale.
    """
    weights = patient_weights(patients or int(index.max()) + 1, how)
    by_model = np.zeros(len(score), dtype=np.int64) if models is None else models
    won, met = np.zeros(len(weights)), np.zeros(len(weights))
    for model in np.unique(by_model):
        own = by_model == model
        counted = _pairs(score[own], positive[own], index[own], weights)
        won, met = won + counted[0], met + counted[1]
    return np.asarray(np.divide(won, met, out=np.full(len(weights), np.nan), where=met > 0))


def _pairs(
    score: FloatArray, positive: npt.NDArray[np.bool_], index: IntArray, weights: FloatArray
) -> FloatArray:
    """(2, draws): how many pairs of a positive and a negative the positive wins, and how many there are.

    Cases are sorted once. In each draw a positive wins against the weight of the negatives below it.
    """
    order = np.argsort(score, kind="stable")
    up, owner = positive[order], index[order]
    starts = np.flatnonzero(np.diff(score[order], prepend=-np.inf))
    counted = np.empty((2, len(weights)))
    rows = max(1, _AT_ONCE // len(order))
    for first in range(0, len(weights), rows):
        weighed = weights[first : first + rows][:, owner]
        wins = np.add.reduceat(weighed * up, starts, axis=1)
        losses = np.add.reduceat(weighed * ~up, starts, axis=1)
        counted[0, first : first + rows] = (wins * (np.cumsum(losses, axis=1) - losses / 2)).sum(axis=1)
        counted[1, first : first + rows] = wins.sum(axis=1) * losses.sum(axis=1)
    return counted
