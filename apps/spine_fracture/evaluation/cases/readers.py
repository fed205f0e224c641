"""Readers and a model on the same cases, as in Table 2 of Yeh et al. 2022, and how far readers agree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import combinations

import numpy as np

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.evaluation.answers import BoolArray, Question
from spine_fracture.evaluation.cases.differences import FEWEST
from spine_fracture.evaluation.cases.scores import Scores, Unit, case_key, unit_key
from spine_fracture.evaluation.cases.thresholds import Threshold
from spine_fracture.evaluation.statistics.agreement import cohen_kappa, fleiss_kappa
from spine_fracture.evaluation.statistics.intervals import (
    Estimate,
    IntArray,
    Resampling,
    sums_by_patient,
)
from spine_fracture.evaluation.statistics.paired import McNemar, holm_of_known, mcnemar
from spine_fracture.evaluation.statistics.shares import share

#: What is told apart: no, yes, and neither side of the question.
_NO, _YES, _NEITHER = range(3)
#: By patient yes outweighs neither, which outweighs no.
_GRAVITY = (_NO, _NEITHER, _YES)
#: What one reader says: by level or patient, the first of the key being the patient.
_Given = Mapping[tuple[str, ...], int]


class Measure(StrEnum):
    """What two answers are compared in: among the positives, among the negatives, among all."""

    SENSITIVITY = "sensitivity"
    SPECIFICITY = "specificity"
    ACCURACY = "accuracy"


@dataclass(frozen=True)
class ReaderAnswer:
    """What a reader called a level."""

    reader: str
    patient: str
    level: Level
    diagnosis: Diagnosis


@dataclass(frozen=True)
class ReaderFigure:
    """One reader's share of right answers, the model's on the same cases, and McNemar's test between them.

    ``p_holm`` is its exact p adjusted over all figures of a table, None of a reader with too few patients. By
    level cases are not independent and p is too small.
    """

    measure: Measure
    reader: Estimate
    model: Estimate
    test: McNemar
    p_holm: float | None


@dataclass(frozen=True)
class ReaderRow:
    """One reader on the cases that model and reader both answered. A measure is missing where there is no
    such case, all are where there are not two patients.

    A read that takes neither side of the question, e.g. indeterminate, is never right.
    """

    reader: str
    cases: int
    patients: int
    figures: tuple[ReaderFigure, ...]

    def of(self, measure: Measure) -> ReaderFigure | None:
        return next((figure for figure in self.figures if figure.measure == measure), None)


@dataclass(frozen=True)
class Agreement:
    """Cohen's kappa of two readers, or Fleiss' of all, over yes, no and neither, on all ``cases`` that they
    read. None where chance alone agrees too, and ``reason`` says so.
    """

    readers: tuple[str, ...]
    cases: int
    kappa: Estimate | None
    reason: str


@dataclass(frozen=True)
class ReaderTable:
    unit: Unit
    question: str
    rows: tuple[ReaderRow, ...]
    agreement: tuple[Agreement, ...]


def judge_readers(
    reads: Sequence[ReaderAnswer],
    model: Scores,
    threshold: Threshold,
    question: Question,
    asked: Collection[tuple[str, ...]],
    resampling: Resampling | None = None,
) -> ReaderTable:
    """Each reader beside the model, whose unit is what is counted, and the readers among themselves.

    By patient a reader says yes where any of the levels that the question is put about was called positive,
    as the model does; who did not read all these levels of a patient is not counted for that patient.
    ``asked`` are their keys (:func:`unit_key` by level).
    """
    how = resampling or Resampling()
    given = _by_level(reads, question) if model.unit is Unit.LEVEL else _by_patient(reads, question, asked)
    rows = [_row(name, answers, model, threshold, how) for name, answers in given.items()]
    adjusted = iter(holm_of_known([figure.p_holm for row in rows for figure in row.figures]))
    return ReaderTable(
        unit=model.unit,
        question=question.name,
        rows=tuple(
            replace(row, figures=tuple(replace(f, p_holm=next(adjusted)) for f in row.figures))
            for row in rows
        ),
        agreement=tuple(_agreement(given, how)),
    )


def _by_level(reads: Sequence[ReaderAnswer], question: Question) -> dict[str, _Given]:
    given: dict[str, dict[tuple[str, ...], int]] = defaultdict(dict)
    for read in reads:
        given[read.reader][unit_key(read.patient, read.level, Unit.LEVEL)] = _side(read.diagnosis, question)
    return dict(given)


def _by_patient(
    reads: Sequence[ReaderAnswer], question: Question, asked: Collection[tuple[str, ...]]
) -> dict[str, _Given]:
    """Of the levels of ``asked`` that nobody left out: what is said of others answers another question."""
    levels: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for key in asked:
        levels[key[0]].append(key)
    return {
        reader: {
            (patient,): max((of_levels[key] for key in wanted), key=_GRAVITY.index)
            for patient, wanted in levels.items()
            if all(key in of_levels for key in wanted)
        }
        for reader, of_levels in _by_level(reads, question).items()
    }


def _side(diagnosis: Diagnosis, question: Question) -> int:
    return _YES if diagnosis in question.positive else _NO if diagnosis in question.negative else _NEITHER


def _row(name: str, given: _Given, model: Scores, threshold: Threshold, how: Resampling) -> ReaderRow:
    keys = [case_key(case, model.unit) for case in model.cases]
    both = model.where(np.array([key in given for key in keys], dtype=bool))
    said = np.array([given[key] for key in keys if key in given], dtype=np.int64)
    right = np.stack([said == both.positive, threshold.calls(both) == both.positive])
    figures = tuple(_figures(right, both, how)) if both.patients > 1 else ()
    return ReaderRow(name, len(both), both.patients, figures)


def _figures(right: BoolArray, cases: Scores, how: Resampling) -> Iterator[ReaderFigure]:
    """``right`` (2, n): the reader's answers, and the model's."""
    sides = {Measure.SENSITIVITY: cases.positive, Measure.SPECIFICITY: ~cases.positive}
    for measure in Measure:
        counted = sides.get(measure, np.ones_like(cases.positive))
        sums = sums_by_patient(np.stack([*(counted & right), counted], axis=1), cases.index)
        reader, model = (share(sums[:, at], sums[:, 2], how) for at in range(2))
        if reader is not None and model is not None:
            test = mcnemar(right[0, counted], right[1, counted])
            p_value = test.p_exact if cases.patients >= FEWEST else None
            yield ReaderFigure(measure, reader, model, test, p_holm=p_value)


def _agreement(given: Mapping[str, _Given], how: Resampling) -> Iterator[Agreement]:
    """Of the readers without the model; one reader agrees with nobody."""
    for pair in combinations(given, 2):
        yield _kappa(pair, given, how)
    if len(given) > 2:
        yield _kappa(tuple(given), given, how)


def _kappa(readers: tuple[str, ...], given: Mapping[str, _Given], how: Resampling) -> Agreement:
    first, *others = (given[name] for name in readers)
    keys = [key for key in first if all(key in other for other in others)]
    answers = np.array([[given[name][key] for key in keys] for name in readers], dtype=np.int64)
    patients = [key[0] for key in keys]
    if len(set(patients)) < 2:
        return Agreement(readers, len(keys), None, "no two patients were read by them all")
    if (answers == answers.flat[0]).all():
        return Agreement(readers, len(keys), None, "all always say the same, which chance would do too")
    return Agreement(readers, len(keys), _estimate(answers, patients, how), "")


def _estimate(answers: IntArray, patients: Sequence[str], how: Resampling) -> Estimate:
    """``answers`` (readers, n)."""
    if len(answers) == 2:
        return cohen_kappa(answers[0], answers[1], patients, 3, how)
    return fleiss_kappa(answers.T, patients, 3, how)
