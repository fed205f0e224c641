"""The same figures for parts of the cases: a model may do well on average and fail where it matters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spine_fracture.evaluation.answers import Answers, BoolArray, Case, Part, Question
from spine_fracture.evaluation.cases.binary import BinaryResult, judge_scores
from spine_fracture.evaluation.cases.judging import JUDGED, fixed_threshold
from spine_fracture.evaluation.cases.scores import Scores, Unit, case_key, question_of, unit_scores
from spine_fracture.evaluation.cases.thresholds import Threshold
from spine_fracture.evaluation.statistics.intervals import Resampling

#: A subgroup with fewer positive or negative patients than this gets no figures.
MINIMUM = 5
NOT_STATED = "not stated"
_FROM_THE_HEAD = "CTLS"


@dataclass(frozen=True)
class Subgroup:
    """``result`` is None where there are too few cases, and ``reason`` says how many."""

    dimension: str
    name: str
    part: Part
    cases: int
    patients: int
    positives: int
    result: BinaryResult | None
    reason: str


def age_band(age: float | None) -> str:
    """By decade from 50 to 79 years, and what is below and above."""
    if age is None:
        return NOT_STATED
    if age < 50:
        return "0 to 49"
    return "80 and over" if age >= 80 else f"{(decade := int(age // 10) * 10)} to {decade + 9}"


_DIMENSIONS: dict[str, Callable[[Case], str]] = {
    "centre": lambda case: case.centre,
    "scanner": lambda case: case.scanner,
    "sequences": lambda case: case.sequences,
    "region": lambda case: case.level.region if case.level else "",
    "sex": lambda case: case.sex,
    "age": lambda case: age_band(case.age),
}


def subgroups(
    answers: Answers,
    *,
    unit: Unit = Unit.PATIENT,
    resampling: Resampling | None = None,
) -> tuple[Subgroup, ...]:
    """Test and external part, each by centre, scanner, sequences, sex, age, by level also by region
    of the spine, and the positives of each note (e.g. primary tumour) against all negatives.

    All have the one threshold that the whole has.
    """
    asked = question_of(answers)
    cut = fixed_threshold(answers, unit, asked)
    groups = []
    for part in JUDGED:
        scores = unit_scores(answers, part, unit, asked)
        for dimension, name, chosen in _groups(scores, _notes(answers.asked(part, asked), asked, unit)):
            groups.append(_judged(dimension, name, part, scores.where(chosen), asked.name, cut, resampling))
    return tuple(groups)


def _notes(cases: Sequence[Case], asked: Question, unit: Unit) -> dict[tuple[str, ...], str]:
    """By level or patient the first note of a positive case: a patient's score may be that of another level,
    of which nothing is noted.
    """
    found: dict[tuple[str, ...], str] = {}
    for case in cases:
        if case.note and case.truth in asked.positive:
            found.setdefault(case_key(case, unit), case.note)
    return found


def _groups(scores: Scores, notes: Mapping[tuple[str, ...], str]) -> Iterator[tuple[str, str, BoolArray]]:
    for dimension, value_of in _DIMENSIONS.items():
        if dimension == "region" and scores.unit is Unit.PATIENT:
            continue
        values = np.array([value_of(case) or NOT_STATED for case in scores.cases], dtype=object)
        for name in sorted(set(values.tolist()), key=lambda n: (_FROM_THE_HEAD.find(n), n)):
            yield dimension, name, np.asarray(values == name)
    noted = np.array([notes.get(case_key(case, scores.unit), "") for case in scores.cases], dtype=object)
    for note in sorted({*noted[scores.positive].tolist()} - {""}):
        yield "note", note, np.asarray(~scores.positive | (noted == note))


def _judged(
    dimension: str,
    name: str,
    part: Part,
    scores: Scores,
    question: str,
    threshold: Threshold,
    resampling: Resampling | None,
) -> Subgroup:
    positive = len({c.patient for c, yes in zip(scores.cases, scores.positive, strict=True) if yes})
    negative = len({c.patient for c, yes in zip(scores.cases, scores.positive, strict=True) if not yes})
    reason = ""
    if min(positive, negative) < MINIMUM:
        reason = f"needs {MINIMUM} positive and {MINIMUM} negative patients, has {positive} and {negative}"
    return Subgroup(
        dimension=dimension,
        name=name,
        part=part,
        cases=len(scores),
        patients=scores.patients,
        positives=scores.positives,
        result=None if reason else judge_scores(scores, part, question, threshold, resampling),
        reason=reason,
    )
