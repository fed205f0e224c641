"""The report of one turn of the loop, as one HTML file and as JSON."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis, Level
from spine_fracture.evaluation.reports.pages import page
from spine_fracture.files import write_atomically
from spine_fracture.levels import Uncertainty
from spine_fracture.training.gate import GateDecision


@dataclass(frozen=True)
class CentreRow:
    """How much of one centre is in the catalogue."""

    centre: str
    patients: int
    studies: int
    series: int
    levels: int
    refused: int


@dataclass(frozen=True)
class RankedLevel:
    """A level in the queue's order. ``picture`` is a data URI; it stays out of the JSON.

    ``score`` is the combined uncertainty in [0, 1]; ``probabilities`` follows MODEL_CLASSES.
    """

    rank: int
    patient: str
    centre: str
    level: Level
    score: float
    probabilities: tuple[float, ...]
    uncertainty: Uncertainty
    reasons: tuple[str, ...]
    read: Diagnosis | None
    picture: str = dataclasses.field(repr=False)


@dataclass(frozen=True)
class ReadRow:
    """One read of the simulated reader. What the models thought is not told for blinded reads."""

    number: int
    patient: str
    level: Level
    mode: str
    diagnosis: Diagnosis
    confidence: int
    seconds: float


@dataclass(frozen=True)
class Report:
    """Everything the page shows."""

    created: datetime
    detector: str
    champion_before: str
    champion_after: str
    candidate: str
    training_reads: int
    centres: tuple[CentreRow, ...]
    ranked: tuple[RankedLevel, ...]
    reads: tuple[ReadRow, ...]
    gate: GateDecision
    seconds: tuple[tuple[str, float], ...]

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(d.value.replace("_", " ") for d in MODEL_CLASSES)


def write_report(report: Report, folder: Path) -> tuple[Path, Path]:
    """Write ``report.html`` and ``report.json`` into ``folder``; gives both paths."""
    html, data = folder / "report.html", folder / "report.json"
    write_atomically(html, render(report).encode())
    write_atomically(data, (json.dumps(_plain(report), indent=2, default=str) + "\n").encode())
    return html, data


def render(report: Report) -> str:
    """The report as one HTML page without outside references."""
    return page("report.html", report=report)


def _plain(report: Report) -> dict[str, object]:
    plain = dataclasses.asdict(report)
    for level in plain["ranked"]:
        del level["picture"]
    return plain
