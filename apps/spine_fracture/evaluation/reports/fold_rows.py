"""How the model of each fold of a cross-validation did on the patients of that fold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from spine_fracture.evaluation.answers import Answers
from spine_fracture.evaluation.boxes import BoxAnswers
from spine_fracture.evaluation.cases.judging import judge
from spine_fracture.evaluation.cases.thresholds import Threshold
from spine_fracture.evaluation.detection.judging import judge_boxes
from spine_fracture.evaluation.folds import Fold, folds_told
from spine_fracture.evaluation.statistics.intervals import Estimate, Resampling


@dataclass(frozen=True)
class FoldFigure:
    """``value`` is None where the fold's cases do not allow it, e.g. none is positive."""

    name: str
    value: Estimate | None
    threshold: Threshold


@dataclass(frozen=True)
class FoldRow:
    """Patients of one fold that the model was asked about: who teach, say when to stop, and are judged."""

    name: str
    training: int
    validation: int
    test: int
    figures: tuple[FoldFigure, ...]

    def of(self, figure: str) -> FoldFigure | None:
        return next((one for one in self.figures if one.name == figure), None)


@dataclass(frozen=True)
class Spread:
    """One figure over the ``folds`` that have it; ``deviation`` is that of a sample, None of a single one."""

    name: str
    folds: int
    mean: float
    deviation: float | None


def folds_of(answers: Answers | None, boxes: BoxAnswers | None) -> tuple[Fold, ...]:
    """Those of the cross-validation that answered; none where one model did."""
    return folds_told([*(answers.cases if answers else ()), *(boxes.pictures if boxes else ())])


def fold_rows(answers: Answers | None, boxes: BoxAnswers | None, how: Resampling) -> tuple[FoldRow, ...]:
    """One row a fold, each judged at the threshold that its own validation patients fixed."""
    cases, pictures = answers.by_fold() if answers else {}, boxes.by_fold() if boxes else {}
    return tuple(
        FoldRow(
            fold.name,
            len(fold.training),
            len(fold.validation),
            len(fold.test),
            (*_of_cases(cases.get(fold.name), how), *_of_boxes(pictures.get(fold.name), how)),
        )
        for fold in folds_of(answers, boxes)
    )


def spreads(rows: Sequence[FoldRow]) -> tuple[Spread, ...]:
    """Of every figure that any of the rows has a value of."""
    values: dict[str, list[float]] = {}
    for figure in (figure for row in rows for figure in row.figures):
        if figure.value is not None:
            values.setdefault(figure.name, []).append(figure.value.value)
    return tuple(
        Spread(name, len(own), float(np.mean(own)), float(np.std(own, ddof=1)) if len(own) > 1 else None)
        for name, own in values.items()
    )


def _of_cases(answers: Answers | None, how: Resampling) -> Iterator[FoldFigure]:
    for result in judge(answers, resampling=how) if answers else ():
        yield FoldFigure(f"AUC by {result.unit}", result.auc, result.threshold)


def _of_boxes(boxes: BoxAnswers | None, how: Resampling) -> Iterator[FoldFigure]:
    for result in judge_boxes(boxes, resampling=how) if boxes else ():
        yield FoldFigure("mAP50-95", result.map50_95, result.threshold)
