"""A reader's queue: the strategy's levels and, mixed in, the blinded levels that models are judged by.

Only levels of training patients are ever ranked. Validation and test patients come whole, in seeded
random order, and always blinded. Some training levels are blinded too, and a blinded item carries
neither score nor reason, so nothing tells a reader which levels are the judging ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from spine_fracture.active_learning.pools import Conditions, training_levels, training_pool, unread
from spine_fracture.active_learning.strategies import Ranked, StrategyConfig, rank
from spine_fracture.anatomy import Level
from spine_fracture.cohort.desk import WorkList
from spine_fracture.cohort.levels import slices_to_open
from spine_fracture.cohort.models import LevelSlice, Patient, ReadMode, Role, Study, StudyLevel
from spine_fracture.geometry import PixelBox

BLINDED_REASON = "next level"


@dataclass(frozen=True)
class SeriesBox:
    """Where to look in one series: the slice to open and the box on it."""

    series_uid: str
    role: Role | None
    slice_index: int
    sop_uid: str
    box: PixelBox


@dataclass(frozen=True)
class QueueItem:
    """One level to read. ``series`` has T2 first, then T1, where the study has them.

    ``level_version`` goes back with the read, so that a level that changed meanwhile is noticed.
    ``uncertainty`` is the combined score the level was ranked by; None when chance ranked it or the
    read is blinded.
    """

    level_id: int
    level_version: int
    study_uid: str
    level: Level
    centre: str
    series: tuple[SeriesBox, ...]
    mode: ReadMode
    reason: str
    uncertainty: float | None
    work_list: WorkList

    @property
    def box(self) -> PixelBox:
        """The box in the first series."""
        return self.series[0].box


@dataclass(frozen=True)
class Place:
    """A level in its place of the queue, and how it is to be read."""

    level_id: int
    mode: ReadMode
    reason: str
    score: float | None

    @classmethod
    def blinded(cls, level_id: int) -> Place:
        return cls(level_id, ReadMode.BLINDED, BLINDED_REASON, None)


def ranked_levels(
    session: Session, strategy: StrategyConfig, conditions: Conditions | None = None
) -> tuple[Ranked, ...]:
    """Training levels in the order of the strategy: those that ``conditions`` admit, by default all unread.

    All training levels are ranked and the others left out afterwards: were only those ranked that are
    left, whoever takes one at a time would always get the first of a new order, in which a patient, a
    centre or a class that has just had its turn is first again.
    """
    admitted = training_levels(session, unread() if conditions is None else conditions)
    if not admitted:
        return ()
    ranked = rank(training_pool(session), strategy)
    return tuple(one for one in ranked if one.level.level_id in admitted)


def mixed(teaching: Iterator[Place], judging: Iterator[Place], slots: Iterator[bool]) -> Iterator[Place]:
    """Both streams by the slots; when one has run out the other fills its places."""
    for wants_judging in slots:
        first, second = (judging, teaching) if wants_judging else (teaching, judging)
        place = next(first, None) or next(second, None)
        if place is None:
            return
        yield place


def items(session: Session, places: Sequence[Place], work_list: WorkList) -> tuple[QueueItem, ...]:
    """The places with all that a viewer needs to open them."""
    levels = session.scalars(
        select(StudyLevel)
        .where(StudyLevel.id.in_([place.level_id for place in places]))
        .options(
            selectinload(StudyLevel.slices).selectinload(LevelSlice.series),
            selectinload(StudyLevel.study).selectinload(Study.patient).selectinload(Patient.centre),
        )
    )
    by_id = {level.id: level for level in levels}
    return tuple(_item(by_id[place.level_id], place, work_list) for place in places)


def _item(level: StudyLevel, place: Place, work_list: WorkList) -> QueueItem:
    return QueueItem(
        level_id=level.id,
        level_version=level.version,
        study_uid=level.study.uid,
        level=level.name,
        centre=level.study.patient.centre.name,
        series=_where_to_look(level.slices),
        mode=place.mode,
        reason=place.reason,
        uncertainty=place.score,
        work_list=work_list,
    )


def _where_to_look(slices: Sequence[LevelSlice]) -> tuple[SeriesBox, ...]:
    """The slice to open of each series, T2 before T1 before any other."""
    order = {Role.T2: 0, Role.T1: 1, None: 2}
    chosen = sorted(slices_to_open(slices), key=lambda s: (order[s.series.role], s.id))
    return tuple(SeriesBox(s.series.uid, s.series.role, s.slice_index, s.sop_uid, s.box) for s in chosen)
