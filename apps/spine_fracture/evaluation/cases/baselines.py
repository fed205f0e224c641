"""Is a model better than what needs no network? The least that is asked of every system."""

from __future__ import annotations

import numpy as np

from spine_fracture.evaluation.answers import Answers, Part
from spine_fracture.evaluation.cases.binary import Metric, drawn_metrics
from spine_fracture.evaluation.cases.differences import Difference, drawn_difference
from spine_fracture.evaluation.cases.judging import fixed_threshold
from spine_fracture.evaluation.cases.pairwise import Contestant, paired_difference
from spine_fracture.evaluation.cases.scores import Unit, question_of, unit_scores
from spine_fracture.evaluation.statistics.intervals import Resampling

#: Balanced accuracy of always answering the commoner class.
MAJORITY = 0.5


def above_baseline(
    answers: Answers,
    baseline: Answers,
    *,
    part: Part = Part.TEST,
    unit: Unit = Unit.PATIENT,
    resampling: Resampling | None = None,
) -> Difference | None:
    """AUC less the baseline's on the same cases, patients drawn together; None where there is no AUC."""
    asked = question_of(answers)
    weaker, stronger = (
        Contestant(a.system, unit_scores(a, part, unit, asked), fixed_threshold(a, unit, asked))
        for a in (baseline, answers)
    )
    return paired_difference(weaker, stronger, Metric.AUC, resampling)


def above_majority(
    answers: Answers,
    *,
    part: Part = Part.TEST,
    unit: Unit = Unit.PATIENT,
    resampling: Resampling | None = None,
) -> Difference | None:
    """Balanced accuracy less the 0.5 of the majority class; None where a class is lacking."""
    how = resampling or Resampling()
    scores = unit_scores(answers, part, unit)
    if scores.patients < 2 or not 0 < scores.positives < len(scores):
        return None
    drawn = drawn_metrics(scores, fixed_threshold(answers, unit), how)[Metric.BALANCED_ACCURACY]
    majority = np.full_like(drawn, MAJORITY)
    return drawn_difference(Metric.BALANCED_ACCURACY, majority, drawn, len(scores), scores.patients, how)
