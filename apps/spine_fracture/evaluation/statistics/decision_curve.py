"""What acting on a model is worth, against treating everybody or nobody.

Vickers and Elkin 2006, Med Decis Making 26:565: a doctor who treats from probability p on takes a
needless treatment to be p / (1 - p) as bad as a missed one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

#: Threshold probabilities at which curves are drawn.
PROBABILITIES = tuple(round(0.01 * percent, 2) for percent in range(1, 100))


@dataclass(frozen=True)
class NetBenefit:
    """Net true positives a case at one threshold probability; treating nobody is always worth 0."""

    probability: float
    model: float
    treat_all: float


def decision_curve(score: npt.ArrayLike, positive: npt.ArrayLike) -> tuple[NetBenefit, ...]:
    """The curve of scores (n,), which are taken for probabilities; treated from the threshold on."""
    scores, labels = np.asarray(score, dtype=np.float64), np.asarray(positive, dtype=bool)
    at = np.asarray(PROBABILITIES)
    odds = at / (1 - at)
    treated = scores[:, None] >= at
    model = (treated & labels[:, None]).mean(axis=0) - (treated & ~labels[:, None]).mean(axis=0) * odds
    everybody = labels.mean() - (1 - labels.mean()) * odds
    return tuple(
        NetBenefit(float(p), float(m), float(e)) for p, m, e in zip(at, model, everybody, strict=True)
    )
