"""From which score on a case is called positive: fixed on validation patients, never on those judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spine_fracture.evaluation.scores import Scores

#: Fewer validation cases of either kind than this say nothing about where to cut.
MINIMUM = 5
MIDDLE = 0.5


@dataclass(frozen=True)
class Threshold:
    """Scores of ``value`` and above are positive; ``rule`` says in words where it comes from."""

    value: float
    rule: str


def youden(validation: Scores) -> Threshold:
    """The cut with the greatest sensitivity + specificity - 1 (Youden 1950, Cancer 3:32).

    Cuts lie halfway between neighbouring scores; of equally good ones the nearest to 0.5 is taken.
    """
    positives, negatives = validation.positives, len(validation) - validation.positives
    if min(positives, negatives) < MINIMUM:
        return Threshold(
            MIDDLE,
            f"{MIDDLE} (validation has {positives} positive and {negatives} negative cases, a rule of its "
            f"own needs {MINIMUM} of each)",
        )
    values = np.unique(validation.score)
    cuts = np.concatenate([values[:1], (values[1:] + values[:-1]) / 2])
    up, down = np.sort(validation.score[validation.positive]), np.sort(validation.score[~validation.positive])
    sensitivity = 1 - np.searchsorted(up, cuts) / positives
    specificity = np.searchsorted(down, cuts) / negatives
    index = sensitivity + specificity
    best = cuts[index >= index.max() - 1e-12]
    chosen = float(best[np.argmin(np.abs(best - MIDDLE))])
    return Threshold(chosen, f"greatest Youden index on {len(validation)} validation cases")
