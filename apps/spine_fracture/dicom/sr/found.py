"""What was found in a report, whoever wrote it: typed, and what was not understood in words."""

from __future__ import annotations

from dataclasses import dataclass

from spine_fracture.anatomy import Basis, Diagnosis, Feature, Level
from spine_fracture.geometry import PixelBox


@dataclass(frozen=True)
class FoundRegion:
    """Where a group points: ``centre`` (column, row) on one picture, and its box if it outlines one."""

    sop_uid: str
    centre: tuple[float, float]
    box: PixelBox | None
    frame: int = 1


@dataclass(frozen=True)
class FoundStatement:
    """One measurement group.

    ``tool`` names what drew it, where it says so.
    What it did not say, or said in words or codes that are not understood, is None (or empty), and
    ``problems`` says why. Free text of its author may name people and is not among it.
    """

    tool: str
    region: FoundRegion | None
    level: Level | None
    diagnosis: Diagnosis | None
    features: frozenset[Feature]
    confidence: int | None
    basis: Basis | None
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Observer:
    """Who wrote a report, as it says itself: ``name`` may be a person's and must not be stored."""

    name: str
    is_device: bool


@dataclass(frozen=True)
class FoundReport:
    """One report; ``replaces`` are its predecessors."""

    sop_uid: str
    series_uid: str
    study_uid: str
    patient_id: str
    manufacturer: str
    observer: Observer
    replaces: tuple[str, ...]
    statements: tuple[FoundStatement, ...]
    problems: tuple[str, ...]
