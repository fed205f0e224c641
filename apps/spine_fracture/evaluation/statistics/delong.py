"""The AUC of independent cases and of two models on the same ones, without resampling.

DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44:837, worked out by ranks as Sun and Xu 2014, IEEE
Signal Processing Letters 21:1389. For several levels a patient its intervals are too narrow: see
:func:`spine_fracture.evaluation.statistics.intervals.auc_interval`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spine_fracture.errors import InsufficientEvidenceError
from spine_fracture.evaluation.statistics.intervals import Estimate, FloatArray


@dataclass(frozen=True)
class AucComparison:
    """Two AUCs on the same cases: ``second - first`` with its interval and two-sided p."""

    first: float
    second: float
    difference: Estimate
    p_value: float


def delong(score: npt.ArrayLike, positive: npt.ArrayLike, confidence: float = 0.95) -> Estimate:
    """AUC with its interval, for independent cases, one a patient."""
    areas, covariance = _delong([score], positive)
    return _normal_interval(float(areas[0]), float(covariance[0, 0]), confidence)


def delong_difference(
    first: npt.ArrayLike, second: npt.ArrayLike, positive: npt.ArrayLike, confidence: float = 0.95
) -> AucComparison:
    """Paired comparison of two scores on the same independent cases."""
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
    from scipy.stats import rankdata

    labels = np.asarray(positive, dtype=bool)
    stacked = np.stack([np.asarray(score, dtype=np.float64) for score in scores])
    m, n = int(labels.sum()), int((~labels).sum())
    if m < 2 or n < 2:
        raise InsufficientEvidenceError(f"DeLong needs 2 cases of each kind, has {m} and {n}.")
    ranks = rankdata(stacked, axis=1)
    # How many of the other kind each case beats is its rank among all less that among its own kind.
    of_positives = (ranks[:, labels] - rankdata(stacked[:, labels], axis=1)) / n
    of_negatives = 1 - (ranks[:, ~labels] - rankdata(stacked[:, ~labels], axis=1)) / m
    covariance = np.atleast_2d(np.cov(of_positives)) / m + np.atleast_2d(np.cov(of_negatives)) / n
    return of_positives.mean(axis=1), np.asarray(covariance)


def _normal_interval(
    value: float, variance: float, confidence: float, bounds: tuple[float, float] = (0.0, 1.0)
) -> Estimate:
    from scipy.stats import norm

    reach = float(norm.ppf(0.5 + confidence / 2)) * float(np.sqrt(max(variance, 0.0)))
    return Estimate(value, max(value - reach, bounds[0]), min(value + reach, bounds[1]), confidence)
