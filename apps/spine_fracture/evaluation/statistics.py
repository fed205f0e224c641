"""Intervals and comparisons that respect what belongs together: the patient is the unit.

Levels of one patient are alike, so resampling levels would promise too narrow an interval. The
cluster bootstrap draws whole patients with replacement (Field and Welsh 2007, J. R. Stat. Soc. B
69:369; percentile interval of Efron and Tibshirani 1993, chapter 13).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spine_fracture.errors import InputError, InsufficientEvidenceError
from spine_fracture.evaluation.metrics import macro_f1

FloatArray = npt.NDArray[np.float64]
#: Takes statistics summed over patients, shape (draws, ...), to one value a draw, shape (draws,).
Statistic = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class Estimate:
    """A value with its two-sided interval: ``confidence`` 0.95 is the 2.5th to the 97.5th percentile."""

    value: float
    low: float
    high: float
    confidence: float


@dataclass(frozen=True)
class Resampling:
    """How to draw. The same seed gives the same interval."""

    draws: int = 2000
    confidence: float = 0.95
    seed: int = 2026


def patient_indices(patients: Sequence[Hashable]) -> npt.NDArray[np.int64]:
    """For each level the number of its patient, 0.. in order of first appearance."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(patient, len(numbers)) for patient in patients], dtype=np.int64)


def cluster_bootstrap(
    per_patient: npt.ArrayLike, statistic: Statistic, resampling: Resampling | None = None
) -> Estimate:
    """Interval of a statistic that depends on sums over patients.

    ``per_patient`` has shape (patients, ...), what each patient adds (counts, a confusion matrix).
    Draws in which the statistic is undefined (NaN) are left out.
    """
    how = resampling or Resampling()
    added = np.asarray(per_patient, dtype=np.float64)
    weights = _draws(len(added), how)
    sums = (weights @ added.reshape(len(added), -1)).reshape(len(weights), *added.shape[1:])
    value = float(statistic(added.sum(axis=0)[None])[0])
    return _percentile(value, statistic(sums), how)


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
    wins, labels = _wins(score, positive)
    index = patient_indices(patients)
    above, below = index[labels], index[~labels]
    count = int(index.max()) + 1
    # Summing the wins between two patients first makes a draw one small matrix product.
    between, pairs = np.zeros((count, count)), np.zeros((count, count))
    np.add.at(between, (above[:, None], below[None, :]), wins)
    np.add.at(pairs, (above[:, None], below[None, :]), 1.0)
    weights = _draws(count, how)
    won = ((weights @ between) * weights).sum(axis=1)
    met = ((weights @ pairs) * weights).sum(axis=1)
    drawn = np.divide(won, met, out=np.full_like(won, np.nan), where=met > 0)
    return _percentile(float(wins.mean()), drawn, how)


@dataclass(frozen=True)
class AucComparison:
    """Two AUCs on the same cases: ``second - first`` with its interval and two-sided p."""

    first: float
    second: float
    difference: Estimate
    p_value: float


def delong(score: npt.ArrayLike, positive: npt.ArrayLike, confidence: float = 0.95) -> Estimate:
    """AUC with the interval of DeLong, DeLong and Clarke-Pearson 1988 (Biometrics 44:837).

    For independent cases, one a patient; use :func:`auc_interval` for several levels a patient.
    """
    areas, covariance = _delong([score], positive)
    return _normal_interval(float(areas[0]), float(covariance[0, 0]), confidence)


def delong_difference(
    first: npt.ArrayLike, second: npt.ArrayLike, positive: npt.ArrayLike, confidence: float = 0.95
) -> AucComparison:
    """Paired comparison of two scores on the same independent cases (same paper)."""
    from scipy.stats import norm

    areas, covariance = _delong([first, second], positive)
    difference = float(areas[1] - areas[0])
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    deviation = np.sqrt(max(variance, 0.0))
    p_value = 2 * float(norm.sf(abs(difference) / deviation)) if deviation > 0 else 1.0
    interval = _normal_interval(difference, variance, confidence, bounds=(-1.0, 1.0))
    return AucComparison(float(areas[0]), float(areas[1]), interval, p_value)


def _delong(scores: Sequence[npt.ArrayLike], positive: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Areas (k,) and their covariance (k, k) from the structural components."""
    wins = [_wins(score, positive)[0] for score in scores]
    of_positives = np.stack([w.mean(axis=1) for w in wins])
    of_negatives = np.stack([w.mean(axis=0) for w in wins])
    m, n = of_positives.shape[1], of_negatives.shape[1]
    if m < 2 or n < 2:
        raise InsufficientEvidenceError(f"DeLong needs 2 cases of each kind, has {m} and {n}.")
    covariance = np.atleast_2d(np.cov(of_positives)) / m + np.atleast_2d(np.cov(of_negatives)) / n
    return of_positives.mean(axis=1), np.asarray(covariance)


def _wins(score: npt.ArrayLike, positive: npt.ArrayLike) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """1, 1/2 or 0 for every positive (row) against every negative (column)."""
    s, labels = np.asarray(score, dtype=np.float64), np.asarray(positive, dtype=bool)
    if labels.all() or not labels.any():
        raise InsufficientEvidenceError("An AUC needs at least one positive and one negative level.")
    above, below = s[labels][:, None], s[~labels][None, :]
    return (above > below) + 0.5 * (above == below), labels


def _draws(patients: int, how: Resampling) -> FloatArray:
    """How often each patient is in each draw, shape (draws, patients)."""
    if patients < 2:
        raise InsufficientEvidenceError(f"A bootstrap over patients needs 2 patients, has {patients}.")
    rng = np.random.default_rng(how.seed)
    return rng.multinomial(patients, np.full(patients, 1 / patients), size=how.draws).astype(np.float64)


def _percentile(value: float, drawn: FloatArray, how: Resampling) -> Estimate:
    defined = drawn[~np.isnan(drawn)]
    if not defined.size:
        raise InsufficientEvidenceError("The statistic is undefined in every draw: more patients are needed.")
    tail = (1 - how.confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Estimate(value, float(low), float(high), how.confidence)


def _normal_interval(
    value: float, variance: float, confidence: float, bounds: tuple[float, float] = (0.0, 1.0)
) -> Estimate:
    from scipy.stats import norm

    reach = float(norm.ppf(0.5 + confidence / 2)) * float(np.sqrt(max(variance, 0.0)))
    return Estimate(value, max(value - reach, bounds[0]), min(value + reach, bounds[1]), confidence)
