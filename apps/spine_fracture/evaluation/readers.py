"""Readers and a model on the same patients, as in Table 2 of Yeh et al. 2022."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import combinations

import numpy as np

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.errors import InputError
from spine_fracture.evaluation.agreement import cohen_kappa, fleiss_kappa
from spine_fracture.evaluation.answers import BoolArray, Question
from spine_fracture.evaluation.paired import McNemar, holm, mcnemar
from spine_fracture.evaluation.scores import Scores, Unit, case_key, unit_key
from spine_fracture.evaluation.shares import share
from spine_fracture.evaluation.statistics import Estimate, Resampling, patient_indices, sums_by_patient
from spine_fracture.evaluation.thresholds import Threshold


class Measure(StrEnum):
    """What two answers are compared in: among the positives, among the negatives, among all."""

    SENSITIVITY = "sensitivity"
    SPECIFICITY = "specificity"
    ACCURACY = "accuracy"


@dataclass(frozen=True)
class ReaderAnswer:
    """What a reader called a level (or with ``level`` None the patient), and what it is."""

    reader: str
    patient: str
    level: Level | None
    truth: Diagnosis
    diagnosis: Diagnosis


@dataclass(frozen=True)
class ReaderResult:
    """One reader, or the model, on the cases that all have answered.

    A read that takes neither side of the question, e.g. indeterminate, is never right.
    """

    name: str
    sensitivity: Estimate | None
    specificity: Estimate | None
    accuracy: Estimate | None


@dataclass(frozen=True)
class ReaderPair:
    """McNemar's test between two; ``p_holm`` is the exact p adjusted over the table.

    By level cases are not independent and p is too small.
    """

    first: str
    second: str
    measure: Measure
    test: McNemar
    p_holm: float


@dataclass(frozen=True)
class Agreement:
    """Cohen's kappa of two readers, or Fleiss' of all, over yes, no and neither."""

    readers: tuple[str, ...]
    kappa: Estimate


@dataclass(frozen=True)
class ReaderTable:
    unit: Unit
    question: str
    cases: int
    patients: int
    results: tuple[ReaderResult, ...]
    pairs: tuple[ReaderPair, ...]
    agreement: tuple[Agreement, ...]


@dataclass(frozen=True, eq=False)
class _Sheet:
    """Everybody's answers (readers, cases): 1 yes, 0 no, 2 neither."""

    names: tuple[str, ...]
    patients: tuple[str, ...]
    positive: BoolArray
    answers: np.ndarray[tuple[int, int], np.dtype[np.int64]]

    @property
    def right(self) -> BoolArray:
        return np.asarray(self.answers == self.positive)

    def counted(self, measure: Measure) -> BoolArray:
        sides = {Measure.SENSITIVITY: self.positive, Measure.SPECIFICITY: ~self.positive}
        return sides.get(measure, np.ones_like(self.positive))


def judge_readers(
    reads: Sequence[ReaderAnswer],
    model: Scores,
    threshold: Threshold,
    question: Question,
    *,
    name: str = "model",
    resampling: Resampling | None = None,
) -> ReaderTable:
    """Readers beside the model, whose unit is what is counted, on the cases all of them answered.

    By patient a reader says yes where any of the patient's levels was called positive, as the model does.
    """
    how = resampling or Resampling()
    sheet = _sheet(reads, model, threshold, question, name)
    pairs = [
        _pair(sheet, first, second, measure)
        for measure in Measure
        for first, second in combinations(range(len(sheet.names)), 2)
    ]
    adjusted = holm([pair.test.p_exact for pair in pairs])
    return ReaderTable(
        unit=model.unit,
        question=question.name,
        cases=len(sheet.patients),
        patients=len(set(sheet.patients)),
        results=tuple(_result(sheet, row, how) for row in range(len(sheet.names))),
        pairs=tuple(replace(pair, p_holm=p) for pair, p in zip(pairs, adjusted, strict=True)),
        agreement=_agreement(sheet, how),
    )


def _sheet(
    reads: Sequence[ReaderAnswer], model: Scores, threshold: Threshold, question: Question, name: str
) -> _Sheet:
    by_reader: dict[str, dict[tuple[str, ...], int]] = {}
    for read in reads:
        key = unit_key(read.patient, read.level, model.unit)
        given = by_reader.setdefault(read.reader, {})
        given[key] = _graver(given.get(key), _side(read.diagnosis, question))
    keyed = [(at, case_key(case, model.unit)) for at, case in enumerate(model.cases)]
    common = [(at, key) for at, key in keyed if all(key in given for given in by_reader.values())]
    if not by_reader or len({key[0] for _, key in common}) < 2:
        raise InputError("Readers and model need at least two patients that all of them have answered about.")
    places = np.array([at for at, _ in common], dtype=np.int64)
    called = threshold.calls(model)[places].astype(np.int64)
    rows = [[given[key] for _, key in common] for given in by_reader.values()]
    return _Sheet(
        names=(*by_reader, name),
        patients=tuple(key[0] for _, key in common),
        positive=model.positive[places],
        answers=np.array([*rows, called.tolist()], dtype=np.int64),
    )


def _side(diagnosis: Diagnosis, question: Question) -> int:
    return 1 if diagnosis in question.positive else 0 if diagnosis in question.negative else 2


def _graver(before: int | None, now: int) -> int:
    """Yes outweighs neither, which outweighs no."""
    return now if before is None else max(before, now, key=(0, 2, 1).index)


def _result(sheet: _Sheet, row: int, how: Resampling) -> ReaderResult:
    index = patient_indices(sheet.patients)

    def of(measure: Measure) -> Estimate | None:
        counted = sheet.counted(measure)
        sums = sums_by_patient(np.stack([counted & sheet.right[row], counted], axis=1), index)
        return share(sums[:, 0], sums[:, 1], how)

    return ReaderResult(sheet.names[row], *(of(measure) for measure in Measure))


def _pair(sheet: _Sheet, first: int, second: int, measure: Measure) -> ReaderPair:
    counted = sheet.counted(measure)
    test = mcnemar(sheet.right[first, counted], sheet.right[second, counted])
    return ReaderPair(sheet.names[first], sheet.names[second], measure, test, p_holm=test.p_exact)


def _agreement(sheet: _Sheet, how: Resampling) -> tuple[Agreement, ...]:
    """Of the readers without the model; one reader agrees with nobody."""
    readers = len(sheet.names) - 1
    found = [
        Agreement(
            (sheet.names[one], sheet.names[other]),
            cohen_kappa(sheet.answers[one], sheet.answers[other], sheet.patients, 3, None, how),
        )
        for one, other in combinations(range(readers), 2)
    ]
    if readers > 2:
        everybody = fleiss_kappa(sheet.answers[:readers].T, sheet.patients, 3, how)
        found.append(Agreement(sheet.names[:readers], everybody))
    return tuple(found)
