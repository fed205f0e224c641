"""Putting a level before a reader: the next of a list, or one that the reader goes to."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from spine_fracture.active_learning.strategies import load_strategy
from spine_fracture.active_learning.worklists import chosen_item, take_next
from spine_fracture.cohort.columns import now
from spine_fracture.cohort.desk import Lease, Skip, WorkList
from spine_fracture.cohort.leases import Seat, active, held, take
from spine_fracture.cohort.levels import find_level
from spine_fracture.cohort.models import LevelSource, Read, ReadMode, StudyLevel
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.protocol import Need, ProtocolConfig, need
from spine_fracture.cohort.reads import standing_reads
from spine_fracture.cohort.shown import was_shown
from spine_fracture.cohort.states import ReadState
from spine_fracture.cohort.studies import find_study
from spine_fracture.errors import ConflictError, NotFoundError
from spine_fracture.server.review.forms import NextForm

#: Within this time a window that comes back to a level gets it as it was.
_RELOADED = timedelta(minutes=5)


def already_there(session: Session, seat: Seat, ask: NextForm) -> Lease | None:
    """The lease of what lies before the window, if that is what it asks for."""
    lease = held(session, seat)
    if lease is None or not lease.level.current or lease.work_list is not ask.work_list:
        return None
    fits = ask.level_id in (None, lease.level_id) and ask.study in (None, lease.level.study.uid)
    return lease if fits else None


def taken_back(session: Session, lease: Lease) -> Read | None:
    """The read that its reader took back to have the level again; None where it lies there otherwise."""
    own = select(Read).where(Read.level_id == lease.level_id, Read.reader == lease.reader)
    last = session.scalar(own.order_by(Read.id.desc()).limit(1))
    if last is None or last.state is not ReadState.WITHDRAWN or lease.taken < last.created:
        return None
    return last


def put_before(project: Project, seat: Seat, ask: NextForm, protocol: ProtocolConfig) -> bool:
    """Take what ``ask`` names, or the next level of its list; False when nothing is left on the list.

    Raises :class:`NotFoundError` and :class:`ConflictError` for a level or study that cannot be had.
    """
    if ask.level_id is None and ask.study is None:
        strategy = load_strategy(protocol.strategy)
        return take_next(project, seat, ask.work_list, protocol, strategy) is not None
    with project.transaction() as session:
        if ask.level_id is None:
            level = _first_of(session, str(ask.study), seat)
        else:
            level = find_level(session, ask.level_id)
        take_chosen(session, level, seat, ask.work_list, protocol)
    return True


def take_chosen(
    session: Session, level: StudyLevel, seat: Seat, work_list: WorkList, protocol: ProtocolConfig
) -> Lease:
    """A level that the reader goes to, in the mode that it would have come in."""
    if not level.current or level.source is LevelSource.REFERENCE:
        raise NotFoundError("This level is no longer part of its study: open another one.")
    if work_list is WorkList.ADJUDICATION and need(level, protocol) is not Need.ADJUDICATION:
        raise ConflictError("The readers of this level do not disagree: there is nothing to decide.")
    if work_list is WorkList.ADJUDICATION and standing_reads(level, seat.reader):
        raise ConflictError("You read this level yourself: let another adjudicator decide.")
    before = _left_unread(session, level, seat, work_list)
    strategy = load_strategy(protocol.strategy)
    item = chosen_item(session, level.id, seat.reader, work_list, strategy)
    return take(
        session,
        level.id,
        seat,
        mode=before.mode if before else item.mode,
        work_list=work_list,
        reason=before.reason if before else item.reason,
        score=before.score if before else item.uncertainty,
        seconds=protocol.lease_seconds,
    )


def _left_unread(session: Session, level: StudyLevel, seat: Seat, work_list: WorkList) -> Lease | None:
    """How the level lay before this window until a moment ago: a page that is loaded again is no choice."""
    mine = select(Lease).where(Lease.level_id == level.id, Lease.reader == seat.reader, Lease.tab == seat.tab)
    last = session.scalar(mine.order_by(Lease.id.desc()).limit(1))
    if last is None or last.work_list is not work_list or standing_reads(level, seat.reader):
        return None
    if min(last.ended or last.expires, last.expires) < now() - _RELOADED:
        return None
    # Who saw the predictions in between reads with help from now on.
    blind_no_more = last.mode is ReadMode.BLINDED and was_shown(session, level, seat.reader)
    return None if blind_no_more else last


def _first_of(session: Session, study_uid: str, seat: Seat) -> StudyLevel:
    """The first level of a study that this reader has not read, else the first that they have."""
    others = select(Lease.level_id).where(active(), (Lease.reader != seat.reader) | (Lease.tab != seat.tab))
    taken = set(session.scalars(others))
    skipped = set(session.scalars(select(Skip.level_id).where(Skip.reader == seat.reader)))
    free = [
        level
        for level in find_study(session, study_uid).levels
        if level.current and level.source is not LevelSource.REFERENCE and level.id not in taken
    ]
    if not free:
        raise NotFoundError("No level of this study is free: none was found, or others read them just now.")
    return min(
        free,
        key=lambda level: (
            bool(standing_reads(level, seat.reader)),
            level.id in skipped,
            level.name.order,
            level.id,
        ),
    )
