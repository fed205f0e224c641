"""Shares of cases, e.g. sensitivity, with intervals that a patient with many cases does not narrow."""

from __future__ import annotations

import numpy as np

from spine_fracture.evaluation.statistics.intervals import (
    Estimate,
    FloatArray,
    Resampling,
    drawn_sums,
    estimate,
)


def share(hits: FloatArray, whole: FloatArray, how: Resampling) -> Estimate | None:
    """Of what each patient adds to what counts and to all, (patients,) each; None where all is nothing.

    The interval is by bootstrap over patients. At 0 or 1, which no draw can change, it is the exact one
    of as many patients as add anything (Clopper and Pearson 1934, Biometrika 26:404).
    """
    from scipy.stats import binomtest

    value = ratio(hits.sum(keepdims=True), whole.sum(keepdims=True))[0]
    if np.isnan(value):
        return None
    if 0 < value < 1:
        sums = drawn_sums(np.stack([hits, whole], axis=1), how)
        return estimate(ratio(sums[:, 0], sums[:, 1]), how.confidence)
    patients = int((whole > 0).sum())
    interval = binomtest(int(value) * patients, patients).proportion_ci(how.confidence, method="exact")
    return Estimate(float(value), float(interval.low), float(interval.high), how.confidence)


def ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Element by element, NaN where there is nothing below the line."""
    return np.asarray(np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0))
