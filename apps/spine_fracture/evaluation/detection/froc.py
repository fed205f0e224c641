"""Free-response ROC: how many lesions are found at what price in false alarms.

Bunch et al. 1978, J. Appl. Photogr. Eng. 4:166; at the false positives a picture of the LUNA16
challenge (Setio et al. 2017, Med Image Anal 42:1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spine_fracture.evaluation.detection.matching import Matches
from spine_fracture.evaluation.statistics.intervals import (
    Estimate,
    FloatArray,
    Resampling,
    drawn_sums,
    estimate,
    patient_weights,
)

#: Mean false positives a picture.
PRICES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class FrocPoint:
    """The highest sensitivity with at most so many false positives a picture on average."""

    false_positives: float
    sensitivity: Estimate


def froc(matches: Matches, how: Resampling) -> tuple[FrocPoint, ...]:
    """The curve at :data:`PRICES` with a band by bootstrap over patients; needs a reference box."""
    drawn = drawn_froc(matches, how)
    return tuple(
        FrocPoint(price, estimate(values, how.confidence))
        for price, values in zip(PRICES, drawn, strict=True)
    )


def drawn_froc(matches: Matches, how: Resampling) -> FloatArray:
    """Drawn values of the sensitivity at each price, (prices, 1 + draws)."""
    weights = patient_weights(len(matches.pictures), how)
    totals = drawn_sums(np.stack([matches.wanted.sum(axis=1), matches.pictures], axis=1), how)
    order = np.argsort(-matches.score, kind="stable")
    hit, owner = matches.found[order], matches.patient[order]
    # A threshold lies between different scores, never between equal ones.
    ends = np.flatnonzero(np.diff(matches.score[order], append=-np.inf))
    drawn = np.full((len(PRICES), len(weights)), np.nan)
    rows = max(1, _AT_ONCE // max(len(order), 1))
    for first in range(0, len(weights), rows):
        part = slice(first, first + rows)
        weighed = weights[part][:, owner]
        found = np.cumsum(weighed * hit, axis=1)[:, ends]
        alarms = np.cumsum(weighed * ~hit, axis=1)[:, ends] / totals[part, 1:]
        found = np.pad(found, ((0, 0), (1, 0)))
        for place, price in enumerate(PRICES):
            cut = (alarms <= price).sum(axis=1, keepdims=True)
            best = np.take_along_axis(found, cut, axis=1)[:, 0]
            wanted = totals[part, 0]
            np.divide(best, wanted, out=drawn[place, part], where=wanted > 0)
    return drawn
