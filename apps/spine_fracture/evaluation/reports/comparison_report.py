"""Several models side by side and in pairs, as one HTML page and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter

from spine_fracture.errors import InputError
from spine_fracture.evaluation.answers import QUESTIONS, Answers, Part, Question
from spine_fracture.evaluation.boxes import BoxAnswers
from spine_fracture.evaluation.cases.binary import BinaryResult, Metric
from spine_fracture.evaluation.cases.judging import JUDGED, judge
from spine_fracture.evaluation.cases.non_inferiority import MARGIN
from spine_fracture.evaluation.cases.pairwise import Pair, PairwiseTable, compare
from spine_fracture.evaluation.cases.scores import Unit
from spine_fracture.evaluation.detection.average_precision import DRAWS
from spine_fracture.evaluation.detection.judging import DetectionResult, judge_boxes
from spine_fracture.evaluation.detection.paired import BoxTable, paired_precision
from spine_fracture.evaluation.reports.pages import page
from spine_fracture.evaluation.statistics.intervals import Resampling
from spine_fracture.files import write_atomically


@dataclass(frozen=True)
class Compared:
    """One model; ``answers``, ``boxes`` or both."""

    name: str
    version: str
    answers: Answers | None
    boxes: BoxAnswers | None


@dataclass(frozen=True)
class Row:
    """The figures of one model."""

    name: str
    version: str
    results: tuple[BinaryResult, ...]
    detection: tuple[DetectionResult, ...]

    def of(self, part: Part, unit: Unit) -> BinaryResult | None:
        return next((r for r in self.results if (r.part, r.unit) == (part, unit)), None)

    def found(self, part: Part) -> DetectionResult | None:
        return next((result for result in self.detection if result.part is part), None)


@dataclass(frozen=True)
class ComparisonReport:
    """``tables`` compare answers in pairs, ``box_tables`` detectors; ``question`` is None where models only
    find boxes. ``margin`` is how much AUC a model may lose and still be called not worse.
    """

    created: datetime
    cohort: str
    question: Question | None
    margin: float
    rows: tuple[Row, ...]
    tables: tuple[PairwiseTable, ...]
    box_tables: tuple[BoxTable, ...]

    @property
    def pooled(self) -> bool:
        """Whether several models of a cross-validation answered for any of the rows."""
        counts = [result.models for row in self.rows for result in row.results]
        return max([1, *counts, *(found.models for row in self.rows for found in row.detection)]) > 1

    def not_worse(self, pair: Pair) -> bool | None:
        """Whether the second of a pair is not worse than the first; None where that cannot be told."""
        found = pair.of(Metric.AUC)
        return found.not_worse(self.margin) if found is not None else None


def compared(
    models: Sequence[Compared],
    *,
    question: str = "",
    margin: float = MARGIN,
    resampling: Resampling | None = None,
) -> ComparisonReport:
    """All ``models`` on the cohort that they have answered, by the question that all were trained for, or by
    ``question``; raises :class:`InputError` where they cannot be compared.
    """
    how = resampling or Resampling()
    cohorts = dict.fromkeys(one.cohort for m in models for one in (m.answers, m.boxes) if one is not None)
    if len(cohorts) > 1:
        raise InputError(
            f"The models were judged on different cohorts, {' and '.join(cohorts)}: give the folders of the "
            "models with --cohort, so that all answer the same one."
        )
    named = [_named(model, models) for model in models]
    asked = _asked([a for _, a, _ in named if a is not None], question)
    if asked is not None:
        named = [(name, a and _put(a, asked), boxes) for name, a, boxes in named]
    answers = [a for _, a, _ in named if a is not None]
    return ComparisonReport(
        created=datetime.now(UTC),
        cohort=next(iter(cohorts), ""),
        question=asked,
        margin=margin,
        rows=tuple(
            Row(
                name,
                model.version,
                judge(a, asked, resampling=how) if a is not None else (),
                judge_boxes(boxes, resampling=how) if boxes is not None else (),
            )
            for model, (name, a, boxes) in zip(models, named, strict=True)
        ),
        tables=tuple(_tables(answers, asked, how)) if len(answers) > 1 else (),
        box_tables=tuple(_box_tables({name: boxes for name, _, boxes in named if boxes is not None}, how)),
    )


def _tables(answers: Sequence[Answers], asked: Question | None, how: Resampling) -> Iterator[PairwiseTable]:
    """Those in which any two models have cases in common."""
    for part in JUDGED:
        for unit in Unit:
            table = compare(answers, asked, part=part, unit=unit, resampling=how)
            if any(pair.cases for pair in table.pairs):
                yield table


def _box_tables(found: Mapping[str, BoxAnswers], how: Resampling) -> Iterator[BoxTable]:
    """Of detectors that find the same, in as many draws as the intervals of single ones."""
    few = replace(how, draws=min(how.draws, DRAWS))
    for what in dict.fromkeys((boxes.task, boxes.labels) for boxes in found.values()):
        alike = {name: boxes for name, boxes in found.items() if (boxes.task, boxes.labels) == what}
        for part in JUDGED:
            pairs = paired_precision({name: boxes.of(part) for name, boxes in alike.items()}, few)
            if pairs:
                yield BoxTable(part, what[0], pairs)


def write_comparison(report: ComparisonReport, path: Path) -> tuple[Path, Path]:
    """Write ``path``, with or without its ending, as HTML and a JSON beside it; gives both paths."""
    name = path.stem if path.suffix in (".html", ".json") else path.name
    html, data = path.with_name(f"{name}.html"), path.with_name(f"{name}.json")
    write_atomically(html, render(report).encode())
    write_atomically(data, TypeAdapter(ComparisonReport).dump_json(report) + b"\n")
    return html, data


def render(report: ComparisonReport) -> str:
    """The comparison as one page that needs nothing beside it."""
    return page("compare.html", report=report, parts=JUDGED, units=tuple(Unit), auc=Metric.AUC)


def _named(model: Compared, among: Sequence[Compared]) -> tuple[str, Answers | None, BoxAnswers | None]:
    """Under its name, or where another has the same, its version."""
    twice = sum(other.name == model.name for other in among) > 1
    name = model.version if twice else model.name
    answers = model.answers.model_copy(update={"system": name}) if model.answers else None
    return name, answers, model.boxes


def _asked(answers: Sequence[Answers], question: str) -> Question | None:
    if question and question not in QUESTIONS:
        raise InputError(f"There is no question {question!r}: use one of {', '.join(QUESTIONS)}.")
    own = dict.fromkeys(a.question for a in answers)
    if len(own) > 1 and not question:
        raise InputError(
            f"The models were trained for different questions, {' and '.join(own)}: say with --question "
            "which one all shall be judged by."
        )
    if not own:
        return None
    asked = QUESTIONS[question or next(iter(own))]
    for a in answers:
        if not a.can_answer(asked):
            raise InputError(
                f"{a.system} was trained for {a.question} and does not tell apart what {asked.name} asks: "
                "leave it out, or choose another question."
            )
    return asked


def _put(answers: Answers, asked: Question) -> Answers:
    """As answers to ``asked``; raises :class:`InputError` where all were said of patients as a whole, and
    so of the own question alone.
    """
    if answers.question == asked.name:
        return answers
    other = answers.under(asked)
    if not other.cases:
        raise InputError(
            f"{answers.system} says of no vertebra what {asked.name} asks, only of patients what "
            f"{answers.question} asks: leave it out, or choose that question."
        )
    return other
