"""The scores of a model, one for each level or one for each patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np

from spine_fracture.anatomy import Level
from spine_fracture.evaluation.answers import (
    QUESTIONS,
    Answers,
    BoolArray,
    Case,
    FloatArray,
    Part,
    Question,
    is_positive,
)
from spine_fracture.evaluation.statistics.intervals import IntArray, patient_indices


class Unit(StrEnum):
    """What is counted."""

    LEVEL = "level"
    PATIENT = "patient"


@dataclass(frozen=True, eq=False)
class Scores:
    """``score`` and ``positive`` (n,) of n levels or patients; ``cases`` are those the scores are of."""

    unit: Unit
    cases: tuple[Case, ...]
    positive: BoolArray
    score: FloatArray

    def __len__(self) -> int:
        return len(self.cases)

    @cached_property
    def index(self) -> IntArray:
        """The number of the patient of each score, (n,)."""
        return patient_indices([case.patient for case in self.cases])

    @property
    def patients(self) -> int:
        return len({case.patient for case in self.cases})

    @property
    def positives(self) -> int:
        return int(self.positive.sum())

    def where(self, chosen: BoolArray) -> Scores:
        """Those of a mask (n,)."""
        cases = tuple(case for case, kept in zip(self.cases, chosen, strict=True) if kept)
        return Scores(self.unit, cases, self.positive[chosen], self.score[chosen])


def question_of(answers: Answers, question: Question | None = None) -> Question:
    """The question that is put: the answers' own unless one is given."""
    return question or QUESTIONS[answers.question]


def unit_scores(answers: Answers, part: Part, unit: Unit, question: Question | None = None) -> Scores:
    """The scores of the cases of this part that the question (default: the answers' own) is put about.

    A patient's score is the highest of its levels' (Yeh et al. 2022 take that of its slices), and it is
    positive when any of them is; where the model answered about the patient as a whole, that answer
    alone counts. A level that was answered more than once (in several views) is joined likewise.
    """
    asked = question_of(answers, question)
    whole = {case.patient for case in answers.cases if case.part is part and case.level is None}
    cases = [
        case
        for case in answers.asked(part, asked)
        if (case.level is not None if unit is Unit.LEVEL else case.level is None or case.patient not in whole)
    ]
    if not cases:
        return Scores(unit, (), np.zeros(0, dtype=bool), np.zeros(0))
    score, positive = answers.scores(cases, asked), is_positive(cases, asked)
    groups = patient_indices([case_key(case, unit) for case in cases])
    order = np.lexsort((-score, groups))
    best = order[np.flatnonzero(np.diff(groups[order], prepend=-1))]
    any_positive = np.bincount(groups, weights=positive) > 0
    return Scores(unit, tuple(cases[at] for at in best), any_positive, score[best])


def case_key(case: Case, unit: Unit) -> tuple[str, ...]:
    """What tells the level or patient of this case from all others, whichever model answered."""
    return unit_key(case.patient, case.level, unit)


def unit_key(patient: str, level: Level | None, unit: Unit) -> tuple[str, ...]:
    return (patient, level or "") if unit is Unit.LEVEL else (patient,)


def answered_by(*all_scores: Scores) -> IntArray:
    """Which model of a cross-validation answered each case, (n,); of several systems' scores of the same
    cases, which models together.
    """
    folds = ([case.fold for case in scores.cases] for scores in all_scores)
    return patient_indices(list(zip(*folds, strict=True)))


def shared(all_scores: Sequence[Scores]) -> tuple[Scores, ...]:
    """Scores of several models, cut to the levels or patients that all have answered, in an order of its own:
    the same cases lie alike, whoever else answered.
    """
    keyed = [{case_key(case, s.unit): at for at, case in enumerate(s.cases)} for s in all_scores]
    common = sorted(set.intersection(*(set(keys) for keys in keyed)))
    return tuple(_taken(s, [keys[key] for key in common]) for s, keys in zip(all_scores, keyed, strict=True))


def _taken(scores: Scores, places: Sequence[int]) -> Scores:
    at = np.asarray(places, dtype=np.int64)
    return Scores(
        scores.unit, tuple(scores.cases[place] for place in places), scores.positive[at], scores.score[at]
    )
