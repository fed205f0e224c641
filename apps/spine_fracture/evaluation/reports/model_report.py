"""Everything a report says of one model, worked out from its answers and boxes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Protocol

from pydantic import Field

from spine_fracture.evaluation.answers import QUESTIONS, Answers, Case, Cost, Part
from spine_fracture.evaluation.boxes import BoxAnswers, PictureAnswer
from spine_fracture.evaluation.cases.baselines import above_baseline, above_majority
from spine_fracture.evaluation.cases.binary import BinaryResult
from spine_fracture.evaluation.cases.differences import Difference, with_holm
from spine_fracture.evaluation.cases.gallery import Mistake, gallery
from spine_fracture.evaluation.cases.judging import JUDGED, judge
from spine_fracture.evaluation.cases.readers import ReaderAnswer, ReaderTable, judge_readers
from spine_fracture.evaluation.cases.scores import Unit, case_key, unit_scores
from spine_fracture.evaluation.cases.subgroups import Subgroup, subgroups
from spine_fracture.evaluation.cases.thresholds import Threshold
from spine_fracture.evaluation.detection.gallery import WorstPicture, worst_pictures
from spine_fracture.evaluation.detection.judging import DetectionResult, judge_boxes
from spine_fracture.evaluation.detection.subgroups import BoxSubgroup, box_subgroups
from spine_fracture.evaluation.reports.fold_rows import FoldRow, Spread, fold_rows, spreads
from spine_fracture.evaluation.reports.pages import words
from spine_fracture.evaluation.statistics.intervals import Resampling


class Pictures(Protocol):
    """What draws for a report: data URIs, None for what is not in the cohort."""

    def of_case(self, case: Case) -> str | None: ...
    def of_boxes(self, answer: PictureAnswer) -> str | None: ...


#: Mistakes of each kind in the gallery.
SHOWN = 6


@dataclass(frozen=True)
class AboveBaseline:
    """How far a model is above what needs no network; ``difference`` is None where it cannot be told."""

    baseline: str
    figure: str
    part: Part
    unit: Unit
    difference: Difference | None


@dataclass(frozen=True)
class UnitSubgroups:
    """All subgroups, counted by level or by patient."""

    unit: Unit
    groups: tuple[Subgroup, ...]


@dataclass(frozen=True)
class ShownMistake:
    """A mistake with its ``picture``, a data URI that stays out of the JSON."""

    mistake: Mistake
    picture: Annotated[str | None, Field(exclude=True)]


@dataclass(frozen=True)
class PictureGallery:
    """The mistakes that a model was surest of in one part, by level if it answers about levels."""

    part: Part
    unit: Unit
    threshold: Threshold
    false_positives: tuple[ShownMistake, ...]
    false_negatives: tuple[ShownMistake, ...]


@dataclass(frozen=True)
class ShownBoxes:
    """A picture that a detector did badly on, of the test part; drawn likewise."""

    worst: WorstPicture
    picture: Annotated[str | None, Field(exclude=True)]


@dataclass(frozen=True)
class ModelReport:
    """``question`` is its text; it is empty, and so is all that follows from answers, for a model that
    only finds boxes. ``readers`` is empty too where no reads were given, ``folds`` and ``spreads`` where one
    model answered.
    """

    name: str
    version: str
    family: str
    paper: str
    seeds: tuple[int, ...]
    cohort: str
    folds: tuple[FoldRow, ...]
    spreads: tuple[Spread, ...]
    question: str
    cost: Cost | None
    results: tuple[BinaryResult, ...]
    detection: tuple[DetectionResult, ...]
    above: tuple[AboveBaseline, ...]
    readers: tuple[ReaderTable, ...]
    subgroups: tuple[UnitSubgroups, ...]
    box_subgroups: tuple[BoxSubgroup, ...]
    galleries: tuple[PictureGallery, ...]
    worst_boxes: tuple[ShownBoxes, ...]

    @property
    def units(self) -> tuple[Unit, ...]:
        return tuple(dict.fromkeys(result.unit for result in self.results))

    @property
    def models(self) -> int:
        """How many answered: one a fold of a cross-validation."""
        return max([1, *(r.models for r in self.results), *(r.models for r in self.detection)])

    def of(self, part: Part, unit: Unit) -> BinaryResult | None:
        return next((r for r in self.results if (r.part, r.unit) == (part, unit)), None)

    def found(self, part: Part) -> DetectionResult | None:
        return next((result for result in self.detection if result.part is part), None)


def report_on(
    answers: Answers | None,
    boxes: BoxAnswers | None,
    baselines: Sequence[Answers],
    pictures: Pictures,
    *,
    reads: Sequence[ReaderAnswer] = (),
    family: str = "",
    paper: str = "",
    seeds: tuple[int, ...] = (),
    resampling: Resampling | None = None,
) -> ModelReport:
    """All sections of the report of one model, which gave ``answers``, ``boxes`` or both."""
    how, one = resampling or Resampling(), answers or boxes
    assert one is not None
    results = judge(answers, resampling=how) if answers else ()
    detection = judge_boxes(boxes, resampling=how) if boxes else ()
    units = tuple(dict.fromkeys(result.unit for result in results))
    folds = fold_rows(answers, boxes, how)
    return ModelReport(
        name=one.system,
        version=one.version,
        family=family,
        paper=paper,
        seeds=seeds or (one.seed,),
        cohort=one.cohort,
        folds=folds,
        spreads=spreads(folds),
        question=QUESTIONS[answers.question].text if answers else "",
        cost=one.cost,
        results=results,
        detection=detection,
        above=_above(answers, baselines, results, how) if answers else (),
        readers=tuple(_readers(answers, reads, results, how)) if answers and reads else (),
        subgroups=tuple(UnitSubgroups(unit, subgroups(answers, unit=unit, resampling=how)) for unit in units)
        if answers
        else (),
        box_subgroups=tuple(
            group for found in detection for group in box_subgroups(boxes, found.part, found.threshold, how)
        )
        if boxes
        else (),
        galleries=tuple(_gallery(answers, part, units, pictures) for part in _parts(results))
        if answers
        else (),
        worst_boxes=tuple(_worst_boxes(boxes, detection, pictures)) if boxes else (),
    )


def _worst_boxes(
    boxes: BoxAnswers, detection: Sequence[DetectionResult], pictures: Pictures
) -> Iterator[ShownBoxes]:
    for result in detection:
        if result.part is Part.TEST:
            for worst in worst_pictures(boxes, result.part, result.threshold, SHOWN):
                yield ShownBoxes(worst, pictures.of_boxes(worst.answer))


def _parts(results: Sequence[BinaryResult]) -> list[Part]:
    return [part for part in JUDGED if any(result.part is part for result in results)]


def _above(
    answers: Answers, baselines: Sequence[Answers], results: Sequence[BinaryResult], how: Resampling
) -> tuple[AboveBaseline, ...]:
    """Adjusted together."""
    rows = []
    for result in results:
        where = result.part, result.unit
        over = above_majority(answers, part=result.part, unit=result.unit, resampling=how)
        rows.append(AboveBaseline("majority class", "balanced accuracy", *where, over))
        for baseline in baselines:
            if any(case.part is result.part for case in baseline.cases):
                over = above_baseline(answers, baseline, part=result.part, unit=result.unit, resampling=how)
                rows.append(AboveBaseline(words(baseline.system), "AUC", *where, over))
    adjusted = with_holm([row.difference for row in rows])
    return tuple(replace(row, difference=found) for row, found in zip(rows, adjusted, strict=True))


def _readers(
    answers: Answers, reads: Sequence[ReaderAnswer], results: Sequence[BinaryResult], how: Resampling
) -> Iterator[ReaderTable]:
    """Of the test part, whose patients readers read blinded."""
    levels = unit_scores(answers, Part.TEST, Unit.LEVEL).cases
    asked = [case_key(case, Unit.LEVEL) for case in levels]
    for result in results:
        if result.part is Part.TEST:
            scores = unit_scores(answers, result.part, result.unit)
            yield judge_readers(reads, scores, result.threshold, QUESTIONS[answers.question], asked, how)


def _gallery(answers: Answers, part: Part, units: Sequence[Unit], pictures: Pictures) -> PictureGallery:
    unit = Unit.LEVEL if Unit.LEVEL in units else Unit.PATIENT
    worst = gallery(answers, part=part, unit=unit, count=SHOWN)

    def shown(mistakes: Sequence[Mistake]) -> tuple[ShownMistake, ...]:
        return tuple(ShownMistake(mistake, pictures.of_case(mistake.case)) for mistake in mistakes)

    return PictureGallery(
        part, unit, worst.threshold, shown(worst.false_positives), shown(worst.false_negatives)
    )
