"""Work lists: what a reader is given next on each of them, and how much is left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice

from sqlalchemy import func, select, union
from sqlalchemy.orm import Session

from spine_fracture.active_learning.pools import (
    Conditions,
    count,
    drawn_levels,
    first_come,
    free,
    judging_levels,
    shown_levels,
    wanted,
)
from spine_fracture.active_learning.queue import Place, QueueItem, items, mixed, ranked_levels
from spine_fracture.active_learning.strategies import StrategyConfig, blinded_slots, chance
from spine_fracture.cohort.desk import Lease, Skip, WorkList
from spine_fracture.cohort.leases import Seat, active, take
from spine_fracture.cohort.levels import find_level
from spine_fracture.cohort.models import Read, ReadMode, StudyLevel
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.protocol import ProtocolConfig
from spine_fracture.cohort.reads import STANDING
from spine_fracture.cohort.shown import was_shown
from spine_fracture.cohort.splits import Split
from spine_fracture.errors import ConflictError, InputError

DRAWN_REASON = "drawn by a reader"
CHOSEN_REASON = "chosen by you"
DISPUTE_REASON = "the readers disagree"
_TRIES = 8


@dataclass(frozen=True)
class _Teaching:
    """How a reader gets levels of training patients: some blinded, unless they saw the predictions before."""

    strategy: StrategyConfig
    reader: str
    shown: frozenset[int]

    def place(self, level_id: int, reason: str, score: float | None) -> Place:
        draw = chance(self.strategy.seed, self.reader, "blinded", level_id)
        if level_id not in self.shown and draw % self.strategy.blinded_training_one_in == 0:
            return Place.blinded(level_id)
        return Place(level_id, ReadMode.ASSISTED, reason, score)


def next_items(
    session: Session,
    reader: str,
    work_list: WorkList,
    protocol: ProtocolConfig,
    strategy: StrategyConfig,
    count: int,
) -> tuple[QueueItem, ...]:
    """The next ``count`` levels of a list for a reader; fewer when there are no more. Asking changes nothing.

    Levels that lie before somebody, this reader included, are left out.
    """
    if count < 1:
        raise InputError(f"Ask for one level or more, not {count}.")
    return items(session, _next_places(session, reader, work_list, protocol, strategy, count), work_list)


def take_next(
    project: Project, seat: Seat, work_list: WorkList, protocol: ProtocolConfig, strategy: StrategyConfig
) -> QueueItem | None:
    """Put the next level of the list before ``seat``; None when nothing is left.

    However many readers ask at once, each gets another level: what somebody was quicker to take is
    passed over.
    """
    while True:
        with project.session() as session:
            places = _next_places(session, seat.reader, work_list, protocol, strategy, _TRIES)
        if not places:
            return None
        for place in places:
            if _taken(project, place, work_list, seat, protocol):
                with project.session() as session:
                    return items(session, [place], work_list)[0]


def chosen_item(
    session: Session, level_id: int, reader: str, work_list: WorkList, strategy: StrategyConfig
) -> QueueItem:
    """A level that the reader went to themselves, in the mode that it would have come in."""
    level = find_level(session, level_id)
    if work_list is WorkList.ADJUDICATION:
        place = _dispute(level_id)
    elif work_list is not WorkList.ASSISTED or level.study.patient.split is not Split.TRAIN:
        place = Place.blinded(level_id)
    else:
        shown = frozenset({level_id} if was_shown(session, level, reader) else ())
        place = _Teaching(strategy, reader, shown).place(level_id, CHOSEN_REASON, None)
    return items(session, [place], work_list)[0]


def left_for(session: Session, reader: str, work_list: WorkList, protocol: ProtocolConfig) -> int:
    """How many levels a list still has for this reader; those that lie before others are not counted."""
    return count(session, (*wanted(reader, work_list, protocol), free(reader)))


def _next_places(
    session: Session,
    reader: str,
    work_list: WorkList,
    protocol: ProtocolConfig,
    strategy: StrategyConfig,
    count: int,
) -> list[Place]:
    conditions = (*wanted(reader, work_list, protocol), free())
    return list(islice(_places(session, reader, work_list, conditions, strategy), count))


def _places(
    session: Session, reader: str, work_list: WorkList, conditions: Conditions, strategy: StrategyConfig
) -> Iterator[Place]:
    if work_list is WorkList.ADJUDICATION:
        return map(_dispute, first_come(session, conditions))
    if work_list is WorkList.SECOND:
        return map(Place.blinded, first_come(session, conditions))
    teaching = _Teaching(strategy, reader, shown_levels(session, conditions, reader))
    drawn = (teaching.place(level_id, DRAWN_REASON, None) for level_id in drawn_levels(session, conditions))
    ranked = (
        teaching.place(item.level.level_id, item.reason, item.score)
        for item in ranked_levels(session, strategy, conditions)
    )
    judging = map(Place.blinded, judging_levels(session, conditions, strategy))
    slots = blinded_slots(strategy, reader, _places_so_far(session, reader))
    places = mixed(chain(drawn, ranked), judging, slots)
    if work_list is WorkList.BLINDED:
        return (Place.blinded(place.level_id) for place in places)
    return places


def _dispute(level_id: int) -> Place:
    """Who decides sees what the readers said, and nothing of the models."""
    return Place(level_id, ReadMode.BLINDED, DISPUTE_REASON, None)


def _taken(project: Project, place: Place, work_list: WorkList, seat: Seat, protocol: ProtocolConfig) -> bool:
    with project.transaction() as session:
        # Looked at again under the lock: somebody may have read it since.
        session.refresh(find_level(session, place.level_id), with_for_update=True)
        still = (*wanted(seat.reader, work_list, protocol), StudyLevel.id == place.level_id)
        if not count(session, still):
            return False
        try:
            take(
                session,
                place.level_id,
                seat,
                mode=place.mode,
                work_list=work_list,
                reason=place.reason,
                score=place.score,
                seconds=protocol.lease_seconds,
            )
        except ConflictError:
            return False
        return True


def _places_so_far(session: Session, reader: str) -> int:
    """How many places of the queue this reader was given: read, passed over, or before them now."""
    given = union(
        select(Read.level_id).where(Read.reader == reader, Read.state.in_(STANDING)),
        select(Skip.level_id).where(Skip.reader == reader),
        select(Lease.level_id).where(Lease.reader == reader, active()),
    )
    return session.scalar(select(func.count()).select_from(given.subquery())) or 0
