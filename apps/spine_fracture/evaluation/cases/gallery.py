"""Which mistakes are worth looking at: the ones a model was surest of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spine_fracture.evaluation.answers import Answers, BoolArray, Case, Part
from spine_fracture.evaluation.cases.judging import fixed_threshold
from spine_fracture.evaluation.cases.scores import Scores, Unit, unit_scores
from spine_fracture.evaluation.cases.thresholds import Threshold


@dataclass(frozen=True)
class Mistake:
    """A case with the score it got, in [0, 1]."""

    case: Case
    score: float


@dataclass(frozen=True)
class Gallery:
    """The worst first, each at most ``count`` long as asked for."""

    part: Part
    unit: Unit
    threshold: Threshold
    false_positives: tuple[Mistake, ...]
    false_negatives: tuple[Mistake, ...]


def gallery(
    answers: Answers,
    *,
    part: Part = Part.TEST,
    unit: Unit = Unit.LEVEL,
    count: int = 12,
) -> Gallery:
    """The negatives with the highest and the positives with the lowest scores, of those called wrongly."""
    scores = unit_scores(answers, part, unit)
    cut = fixed_threshold(answers, unit)
    called = cut.calls(scores)
    return Gallery(
        part,
        unit,
        cut,
        false_positives=_worst(scores, called & ~scores.positive, -1, count),
        false_negatives=_worst(scores, ~called & scores.positive, 1, count),
    )


def _worst(scores: Scores, chosen: BoolArray, sign: int, count: int) -> tuple[Mistake, ...]:
    at = np.flatnonzero(chosen)
    ordered = at[np.argsort(sign * scores.score[at], kind="stable")][:count]
    return tuple(Mistake(scores.cases[place], float(scores.score[place])) for place in ordered)
