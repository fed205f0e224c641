"""From which score on a case is called positive: fixed on validation patients, never on those judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from spine_fracture.evaluation.answers import BoolArray
from spine_fracture.evaluation.cases.scores import Scores

#: Fewer validation cases of either kind than this say nothing about where to cut.
MINIMUM = 5
MIDDLE = 0.5


@dataclass(frozen=True)
class Threshold:
    """Scores of ``value`` and above are positive; ``rule`` says in words where it comes from.

    Each model of a cross-validation has its own in ``folds``, and ``value`` is then their mean, to be shown.
    """

    value: float
    rule: str
    folds: Mapping[str, float] = field(default_factory=dict)

    def at(self, fold: str) -> float:
        """That of the model that answered in this fold."""
        return self.folds.get(fold, self.value)

    def calls(self, scores: Scores) -> BoolArray:
        """Which of n scores are positive, (n,)."""
        return np.asarray(scores.score >= np.array([self.at(case.fold) for case in scores.cases]), dtype=bool)


def of_folds(found: Mapping[str, Threshold]) -> Threshold:
    """One of all folds, by name, from what was fixed in each; of a single one that very threshold."""
    if len(found) == 1:
        return next(iter(found.values()))
    return Threshold(
        float(np.mean([one.value for one in found.values()])),
        f"mean of {len(found)} folds, each judged by its own",
        {fold: one.value for fold, one in found.items()},
    )


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
