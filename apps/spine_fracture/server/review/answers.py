"""What the reading room's page is told. Pixel boxes are x0, y0, x1, y1, the first pixel covering [0, 1]."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from spine_fracture.anatomy import Basis, Diagnosis, Feature, Level
from spine_fracture.cohort.desk import WorkList
from spine_fracture.cohort.models import LevelSource, ReadMode, Role
from spine_fracture.imaging import Sequence
from spine_fracture.server.answers import UncertaintyAnswer
from spine_fracture.server.explain import HeatMap, SimilarLevels

Box = tuple[float, float, float, float]


class View(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class TaskMode(StrEnum):
    ASSISTED = "assisted"
    BLINDED = "blinded"
    ADJUDICATION = "adjudication"


class SeriesView(View):
    """A series to hang. ``role`` is set on the two that the models read."""

    uid: str
    sequence: Sequence
    role: Role | None
    slices: int
    description: str


class BoxView(View):
    series: str
    sop: str
    slice: int
    box: Box


class LevelView(View):
    """A level of the study with its box on each slice."""

    id: int
    version: int
    name: Level
    source: LevelSource
    boxes: tuple[BoxView, ...]


class Opinion(View):
    """What the models think; never part of a blinded task."""

    probabilities: dict[Diagnosis, float]
    uncertainty: float
    parts: UncertaintyAnswer
    detector_version: str
    classifier_version: str


class ReadView(View):
    id: int
    reader: str
    diagnosis: Diagnosis
    features: tuple[Feature, ...]
    confidence: int
    basis: Basis
    note: str
    name: Level
    box: BoxView | None
    created: datetime
    mode: ReadMode


class Progress(View):
    """``session``: levels read in this window; ``mine``: by this reader; ``left``: still on the list."""

    session: int
    mine: int
    left: int
    waiting_reports: int


class Task(View):
    """One level before one reader. ``views`` says where to open: the best slice of T1 and of T2.

    ``numbering_sure`` is what the models said; a blinded reader is not told, and gets True.
    """

    level_id: int
    level_version: int
    name: Level
    numbering_sure: bool
    study: str
    centre: str
    work_list: WorkList = Field(alias="list")
    mode: TaskMode
    expires: datetime
    lease_seconds: int
    why: str
    series: tuple[SeriesView, ...]
    views: tuple[BoxView, ...]
    levels: tuple[LevelView, ...]
    opinion: Opinion | None
    reads: tuple[ReadView, ...]
    draft: ReadView | None
    names: tuple[Level, ...] = tuple(Level)
    progress: Progress
    notes: tuple[str, ...]


class Done(View):
    """Nothing is left on this list for this reader."""

    done: Literal[True] = True
    message: str
    progress: Progress


class Ahead(View):
    """What will come next, so that its pictures can be loaded; it says nothing else."""

    study: str
    series: tuple[str, ...]
    views: tuple[BoxView, ...]


class Upcoming(View):
    items: tuple[Ahead, ...]


class Me(View):
    id: str
    roles: tuple[str, ...]
    open: bool
    notice: str
    client: str


class Renewed(View):
    expires: datetime


class Submitted(View):
    read: ReadView
    progress: Progress
    notes: tuple[str, ...]


class Skipped(View):
    progress: Progress


class Levels(View):
    levels: tuple[LevelView, ...]


class HeatMapView(View):
    """What spoke for ``diagnosis``, as a PNG to lay over ``box`` of the slice."""

    png: str
    box: Box
    diagnosis: Diagnosis
    probability: float

    @classmethod
    def of(cls, found: HeatMap) -> HeatMapView:
        return cls(
            png=found.png,
            box=found.box.as_tuple(),
            diagnosis=found.diagnosis,
            probability=found.probability,
        )


class SimilarLevelView(View):
    """A labelled level like the one asked about; ``distance`` lies in [0, 1], 0 being the same."""

    level_id: int
    name: Level
    diagnosis: Diagnosis
    distance: float
    thumbnail: str


class SimilarView(View):
    """``waiting``: labelled levels that are still to be compared."""

    items: tuple[SimilarLevelView, ...]
    waiting: int

    @classmethod
    def of(cls, found: SimilarLevels) -> SimilarView:
        items = (SimilarLevelView.model_validate(item, from_attributes=True) for item in found.items)
        return cls(items=tuple(items), waiting=found.waiting)
