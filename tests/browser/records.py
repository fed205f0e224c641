"""What a server's database says: looked up by the tests themselves, past the server."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from sqlalchemy import select

from spine_fracture.active_learning.strategies import load_strategy
from spine_fracture.active_learning.worklists import chosen_item
from spine_fracture.cohort.columns import now
from spine_fracture.cohort.desk import Lease, Skip, WorkList
from spine_fracture.cohort.leases import active
from spine_fracture.cohort.models import LevelSource, Prediction, Read, ReadMode, Study, StudyLevel
from spine_fracture.cohort.project import Project, open_project
from spine_fracture.cohort.reports import ReceivedReport, Report

T = TypeVar("T")
PATIENCE_S = 30.0


@dataclass(frozen=True)
class KeptRead:
    id: int
    level_id: int
    reader: str
    diagnosis: str
    features: frozenset[str]
    confidence: int
    basis: str
    note: str
    name: str
    mode: str
    state: str
    series: str | None
    sop: str | None
    box: tuple[float, float, float, float] | None


@dataclass(frozen=True)
class KeptLevel:
    id: int
    name: str
    source: str
    current: bool
    #: Box by the UID of the picture it lies on.
    boxes: dict[str, tuple[float, float, float, float]]
    #: Series by the UID of the picture.
    series: dict[str, str]


class Records:
    """The records of the project at ``home``."""

    def __init__(self, home: Path) -> None:
        self._project: Project = open_project(home)

    def reads(self, level_id: int | None = None) -> tuple[KeptRead, ...]:
        """In the order in which they came, withdrawn ones included."""
        with self._project.session() as session:
            query = select(Read).order_by(Read.id)
            if level_id is not None:
                query = query.where(Read.level_id == level_id)
            return tuple(_read(read) for read in session.scalars(query))

    def levels(self, study_uid: str) -> tuple[KeptLevel, ...]:
        with self._project.session() as session:
            query = select(StudyLevel).join(Study).where(Study.uid == study_uid).order_by(StudyLevel.id)
            return tuple(_level(level) for level in session.scalars(query))

    def unread(self, study_uid: str, mode: ReadMode = ReadMode.ASSISTED, reader: str = "local") -> int:
        """A level that nobody has read or is reading, and that ``reader`` would be given in ``mode``."""
        strategy = load_strategy("uncertainty")
        with self._project.session() as session:
            held = set(session.scalars(select(Lease.level_id).where(active())))
            query = select(StudyLevel).join(Study).where(Study.uid == study_uid).order_by(StudyLevel.id)
            for level in session.scalars(query):
                if level.reads or not level.current or level.source is not LevelSource.DETECTED:
                    continue
                if level.id in held or not level.slices or _cut_off(level):
                    continue
                if chosen_item(session, level.id, reader, WorkList.ASSISTED, strategy).mode is mode:
                    return level.id
        raise AssertionError(f"no unread {mode} level is left in this study")

    def predictions(self, study_uid: str) -> tuple[tuple[float, ...], ...]:
        with self._project.session() as session:
            query = select(Prediction).join(StudyLevel).join(Study).where(Study.uid == study_uid)
            return tuple(tuple(one.probabilities) for one in session.scalars(query))

    def skips(self, level_id: int) -> tuple[str, ...]:
        with self._project.session() as session:
            return tuple(
                str(s.reason) for s in session.scalars(select(Skip).where(Skip.level_id == level_id))
            )

    def reports(self) -> tuple[tuple[str, str], ...]:
        """(UID of the file, state) of each report on its way out."""
        with self._project.session() as session:
            return tuple(
                (r.sop_uid, str(r.state)) for r in session.scalars(select(Report).order_by(Report.id))
            )

    def received(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """(state, what could not be matched) of each report that came in."""
        with self._project.session() as session:
            query = select(ReceivedReport).order_by(ReceivedReport.id)
            return tuple((str(r.state), tuple(r.unmatched)) for r in session.scalars(query))

    def expire_leases(self) -> None:
        """As if the time had run out."""
        with self._project.transaction() as session:
            for lease in session.scalars(select(Lease).where(Lease.ended.is_(None))):
                lease.expires = now() - timedelta(seconds=1)


def eventually(look: Callable[[], T], patience_s: float = PATIENCE_S) -> T:
    """What ``look`` finds as soon as it finds something."""
    deadline = time.monotonic() + patience_s
    while not (found := look()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.1)
    return found


def _cut_off(level: StudyLevel) -> bool:
    """Whether the level touches the upper edge of the picture, so that its corners are hard to grasp."""
    return any(part.box.y0 < 5 for part in level.slices)


def _read(read: Read) -> KeptRead:
    return KeptRead(
        id=read.id,
        level_id=read.level_id,
        reader=read.reader,
        diagnosis=read.diagnosis,
        features=frozenset(read.features),
        confidence=read.confidence,
        basis=read.basis,
        note=read.note,
        name=read.name_given,
        mode=read.mode,
        state=read.state,
        series=read.series.uid if read.series else None,
        sop=read.sop_uid,
        box=read.box.as_tuple() if read.box else None,
    )


def _level(level: StudyLevel) -> KeptLevel:
    return KeptLevel(
        id=level.id,
        name=level.name,
        source=level.source,
        current=level.current,
        boxes={part.sop_uid: part.box.as_tuple() for part in level.slices},
        series={part.sop_uid: part.series.uid for part in level.slices},
    )
