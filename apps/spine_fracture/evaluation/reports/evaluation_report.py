"""The report of one or more models on one cohort, as one HTML file and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter

from spine_fracture.evaluation.answers import Part
from spine_fracture.evaluation.cases.differences import FEWEST
from spine_fracture.evaluation.cases.features import FeatureRow
from spine_fracture.evaluation.cases.scores import Unit
from spine_fracture.evaluation.reports.model_report import ModelReport
from spine_fracture.evaluation.reports.pages import page
from spine_fracture.evaluation.reports.plots import Plot, decision_plot, froc_plot, reliability_plot, roc_plot
from spine_fracture.files import write_atomically


@dataclass(frozen=True)
class CentreRow:
    """Patients of one centre: those who teach, and those who are judged by part."""

    centre: str
    training: int
    validation: int
    test: int
    external: int


@dataclass(frozen=True)
class EvaluationReport:
    """``cohorts`` are the names that answers may carry; ``features`` is empty where none were noted."""

    created: datetime
    cohorts: tuple[str, ...]
    centres: tuple[CentreRow, ...]
    features: tuple[FeatureRow, ...]
    models: tuple[ModelReport, ...]


def write_evaluation(report: EvaluationReport, folder: Path) -> tuple[Path, Path]:
    """Write ``evaluation.html`` and ``evaluation.json`` into ``folder``; gives both paths."""
    html, data = folder / "evaluation.html", folder / "evaluation.json"
    write_atomically(html, render(report).encode())
    adapter = TypeAdapter(EvaluationReport)
    write_atomically(data, adapter.dump_json(report) + b"\n")
    return html, data


def render(report: EvaluationReport) -> str:
    """The report as one page that needs nothing beside it."""
    return page(
        "evaluation.html",
        report=report,
        plots=[tuple(_plots(model)) for model in report.models],
        divided=[model for model in report.models if not model.folds],  # as the cohort itself is
        fewest=FEWEST,
        parts=(Part.TEST, Part.EXTERNAL),
        units=tuple(Unit),
    )


def _plots(model: ModelReport) -> Iterator[Plot]:
    drawn = [(f"{result.part}, by {result.unit}", result) for result in model.results]
    if any(result.roc for _, result in drawn):
        yield roc_plot([(name, result) for name, result in drawn if result.roc])
    if drawn:
        yield reliability_plot(drawn)
        yield decision_plot(drawn)
    if model.detection:
        yield froc_plot([(str(result.part), result) for result in model.detection])
