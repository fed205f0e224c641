"""A model's answers judged: every part but validation, by level and by patient."""

from __future__ import annotations

from spine_fracture.evaluation.answers import Answers, Part, Question
from spine_fracture.evaluation.cases.binary import BinaryResult, judge_scores
from spine_fracture.evaluation.cases.scores import Unit, question_of, unit_scores
from spine_fracture.evaluation.cases.thresholds import Threshold, of_folds, youden
from spine_fracture.evaluation.statistics.intervals import Resampling

JUDGED = (Part.TEST, Part.EXTERNAL)


def judge(
    answers: Answers,
    question: Question | None = None,
    *,
    resampling: Resampling | None = None,
) -> tuple[BinaryResult, ...]:
    """One result for each part and unit of which there are two patients.

    Thresholds are fixed on validation, for levels and for patients apart.
    """
    asked = question_of(answers, question)
    results = []
    for part in JUDGED:
        for unit in Unit:
            scores = unit_scores(answers, part, unit, asked)
            if scores.patients >= 2:
                cut = fixed_threshold(answers, unit, asked)
                results.append(judge_scores(scores, part, asked.name, cut, resampling))
    return tuple(results)


def fixed_threshold(answers: Answers, unit: Unit, question: Question | None = None) -> Threshold:
    """The threshold that the validation part asks for, of each fold its own."""
    parts = answers.by_fold() or {"": answers}
    return of_folds(
        {name: youden(unit_scores(part, Part.VALIDATION, unit, question)) for name, part in parts.items()}
    )
