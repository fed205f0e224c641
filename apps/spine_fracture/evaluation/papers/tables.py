"""The tables of the source studies as templates: which run of ours fills which row, and what they printed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from spine_fracture.configuration import Config
from spine_fracture.evaluation.answers import QUESTIONS, Answers, Case, Part
from spine_fracture.evaluation.boxes import BoxAnswers
from spine_fracture.evaluation.cases.binary import BinaryResult, judge_scores
from spine_fracture.evaluation.cases.judging import fixed_threshold
from spine_fracture.evaluation.cases.scores import Unit, unit_scores
from spine_fracture.evaluation.cases.seeds import joined
from spine_fracture.evaluation.cases.thresholds import Threshold
from spine_fracture.evaluation.detection.judging import LEVELS, DetectionResult, judge_boxes
from spine_fracture.evaluation.detection.overlap import mean_overlap
from spine_fracture.evaluation.statistics.intervals import Estimate, Resampling


class Figure(StrEnum):
    """A column. ``precision`` and ``recall`` of answers are PPV and sensitivity; ``overlap`` is mean IoU."""

    ACCURACY = "accuracy"
    SENSITIVITY = "sensitivity"
    SPECIFICITY = "specificity"
    PRECISION = "precision"
    RECALL = "recall"
    F1 = "f1"
    AUC = "auc"
    MAP50_95 = "map50_95"
    OVERLAP = "overlap"


class TableRow(Config):
    """``entry`` names the comparison's entry whose runs fill the row; it is empty for what no model does.

    Answers are judged in ``part`` by ``unit``, from the study's own ``threshold`` on if it states one.
    ``kept`` names those of the model's own figures that fill the row, in place of its answers.
    ``diseased_by`` is the entry whose answers tell which vertebrae are diseased, for the overlap on these.
    ``theirs`` is what was printed.
    """

    label: str
    entry: str = ""
    part: Part = Part.TEST
    unit: Unit = Unit.PATIENT
    threshold: float | None = None
    kept: dict[Figure, str] = Field(default_factory=dict)
    diseased_by: str = ""
    theirs: dict[Figure, str] = Field(default_factory=dict)


class PaperTable(Config):
    """``boxes``: a table of detectors, else of answers. ``percent``: the study prints percentages."""

    title: str
    columns: tuple[Figure, ...]
    boxes: bool = False
    percent: bool = False
    note: str = ""
    rows: tuple[TableRow, ...]

    @property
    def printed(self) -> tuple[Figure, ...]:
        """The columns that the study gives any figure for."""
        return tuple(column for column in self.columns if any(column in row.theirs for row in self.rows))

    @model_validator(mode="after")
    def _prints_its_columns(self) -> Self:
        for row in self.rows:
            if other := {*row.theirs, *row.kept} - {*self.columns}:
                raise ValueError(f"{row.label} has {', '.join(sorted(other))}, which is no column")
        return self


@dataclass(frozen=True)
class EntryRuns:
    """The runs of one entry of a comparison, one a seed."""

    cohort: str
    answers: tuple[Answers, ...]
    boxes: tuple[BoxAnswers, ...]

    @property
    def seeds(self) -> int:
        return max(len(self.answers), len(self.boxes))


#: All entries that have runs, by name.
Results = Mapping[str, EntryRuns]


@dataclass(frozen=True)
class FilledRow:
    """``runs`` is None where the entry has none. ``ours`` has a figure that has no interval (one that the
    model told of itself) as its value three times, and lacks what these runs do not give. ``taken`` says what
    stands for the seeds, and ``judged`` how many cases there were, where that is known.
    """

    row: TableRow
    runs: EntryRuns | None
    taken: str
    judged: str
    ours: Mapping[Figure, Estimate]


@dataclass(frozen=True)
class FilledTable:
    table: PaperTable
    rows: tuple[FilledRow, ...]


def fill(table: PaperTable, results: Results, how: Resampling) -> FilledTable:
    """Every row whose entry has runs."""
    return FilledTable(table, tuple(_filled(table, row, results, how) for row in table.rows))


def _filled(table: PaperTable, row: TableRow, results: Results, how: Resampling) -> FilledRow:
    runs = results.get(row.entry)
    if runs is None:
        return FilledRow(row, None, "", "", {})
    if table.boxes:
        return _of_boxes(row, runs, results, how)
    return _told_of_itself(row, runs, how) if row.kept else _of_answers(row, runs, how)


def _seeds(count: int, joined_by: str) -> str:
    return "1 seed" if count == 1 else f"{joined_by} of {count} seeds"


def _told_of_itself(row: TableRow, runs: EntryRuns, how: Resampling) -> FilledRow:
    """Of the figures that the models kept: of how many patients, they did not keep."""
    ours: dict[Figure, Estimate] = {}
    for figure, name in row.kept.items():
        told = [run.figures[name] for run in runs.answers if name in run.figures]
        if told:
            mean = float(np.mean(told))
            ours[figure] = Estimate(mean, mean, mean, how.confidence)
    return FilledRow(row, runs, _seeds(len(runs.answers), "mean"), "as each model told of itself", ours)


def _of_answers(row: TableRow, runs: EntryRuns, how: Resampling) -> FilledRow:
    """Of the mean of all seeds' probabilities."""
    if not runs.answers:
        return FilledRow(row, runs, _seeds(runs.seeds, "none"), "nobody", {})
    answers = joined(runs.answers)
    scores = unit_scores(answers, row.part, row.unit)
    ours: dict[Figure, Estimate] = {}
    if scores.patients >= 2:
        stated = None if row.threshold is None else Threshold(row.threshold, "as in the study")
        cut = stated or fixed_threshold(answers, row.unit)
        ours |= _figures(judge_scores(scores, row.part, answers.question, cut, how))
    taken = _seeds(len(runs.answers), "joined answers")
    return FilledRow(row, runs, taken, f"{len(scores)} {row.unit}s", ours)


def _figures(result: BinaryResult) -> dict[Figure, Estimate]:
    values = {
        Figure.ACCURACY: result.accuracy,
        Figure.SENSITIVITY: result.sensitivity,
        Figure.SPECIFICITY: result.specificity,
        Figure.PRECISION: result.ppv,
        Figure.RECALL: result.sensitivity,
        Figure.F1: result.f1,
        Figure.AUC: result.auc,
    }
    return {figure: value for figure, value in values.items() if value is not None}


def _of_boxes(row: TableRow, runs: EntryRuns, results: Results, how: Resampling) -> FilledRow:
    """Of the run with the median mAP50-95, the worse of two in the middle."""
    judged: list[tuple[DetectionResult, BoxAnswers]] = [
        (result, boxes)
        for boxes in runs.boxes
        for result in judge_boxes(boxes, resampling=how)
        if result.part is row.part
    ]
    if not judged:
        return FilledRow(row, runs, _seeds(runs.seeds, "none"), "nobody", {})
    result, boxes = sorted(judged, key=lambda one: one[0].map50_95.value)[(len(judged) - 1) // 2]
    values = {
        Figure.PRECISION: result.precision,
        Figure.RECALL: result.recall,
        Figure.F1: result.f1,
        Figure.MAP50_95: result.map50_95,
    }
    teller = results.get(row.diseased_by)
    if boxes.task == LEVELS and teller is not None and teller.answers:
        wanted = _diseased(teller.answers[0], row.part)
        values[Figure.OVERLAP] = mean_overlap(boxes.of(row.part), wanted, result.threshold, how)
    ours = {figure: value for figure, value in values.items() if value is not None}
    return FilledRow(row, runs, _seeds(len(judged), "median"), f"{result.boxes} boxes", ours)


def _diseased(answers: Answers, part: Part) -> frozenset[tuple[str, str]]:
    """Patient and level of the positives of the question."""
    positive = QUESTIONS[answers.question].positive

    def wanted(case: Case) -> bool:
        return case.part is part and case.level is not None and case.truth in positive

    return frozenset((case.patient, str(case.level)) for case in answers.cases if wanted(case))
