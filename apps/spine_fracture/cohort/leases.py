"""Leases: a level lies before one reader at a time.

A lease is no licence to submit: who has read something may always send it. It says which levels are
not served to others, and in which mode its reader sees the level.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from spine_fracture.cohort.audit import record
from spine_fracture.cohort.columns import now
from spine_fracture.cohort.desk import Lease, WorkList
from spine_fracture.cohort.levels import find_level
from spine_fracture.cohort.models import ReadMode, StudyLevel
from spine_fracture.cohort.shown import was_shown
from spine_fracture.cohort.splits import Split
from spine_fracture.errors import ConflictError

_LONGEST_REASON = 500


@dataclass(frozen=True)
class Seat:
    """One window of one reader; ``tab`` is a random id that the window keeps."""

    reader: str
    tab: str


def active() -> ColumnElement[bool]:
    """For queries: leases that still hold."""
    return and_(Lease.ended.is_(None), Lease.expires > now())


def take(
    session: Session,
    level_id: int,
    seat: Seat,
    *,
    mode: ReadMode,
    work_list: WorkList,
    reason: str,
    score: float | None,
    seconds: float,
) -> Lease:
    """Put the level before ``seat`` for so many seconds, in the caller's transaction.

    What else lay before the seat is put away. A level of a validation or test patient is blinded
    whatever ``mode`` says, and so is every level while a blinded one lies before the reader in another
    window. The seat's own active lease of the level is renewed and stays as it was.
    Raises :class:`ConflictError` when the level lies before another seat.
    """
    level = find_level(session, level_id)
    # Two who reach for one level go one after the other (on SQLite every writing transaction does).
    session.refresh(level, with_for_update=True)
    expires = now() + timedelta(seconds=seconds)
    own = None
    for lease in session.scalars(select(Lease).where(Lease.level_id == level_id, active())):
        if (lease.reader, lease.tab) != (seat.reader, seat.tab):
            who = "You have" if lease.reader == seat.reader else "Another reader has"
            raise ConflictError(f"{who} this level open in another window: go on with the next one.")
        own = lease
    _end(session, seat, but=own)
    if own is not None:
        own.expires = expires
        return own
    blinded = level.study.patient.split is not Split.TRAIN or is_blind(session, seat.reader)
    lease = Lease(
        level=level,
        reader=seat.reader,
        tab=seat.tab,
        mode=ReadMode.BLINDED if blinded else mode,
        work_list=work_list,
        reason=reason[:_LONGEST_REASON],
        score=None if blinded else score,
        expires=expires,
    )
    session.add(lease)
    session.flush()
    details: dict[str, object] = {"mode": lease.mode.value, "list": work_list.value}
    record(session, "level.served", f"level:{level_id}", actor=seat.reader, details=details)
    return lease


def renew(session: Session, level_id: int, seat: Seat, seconds: float) -> Lease:
    """Hold on to the level for so many seconds from now; an expired lease revives if nobody took the level.

    Raises :class:`ConflictError` when the lease was ended or the level lies before somebody else.
    """
    session.refresh(find_level(session, level_id), with_for_update=True)
    mine = select(Lease).where(Lease.level_id == level_id, Lease.reader == seat.reader, Lease.tab == seat.tab)
    lease = session.scalar(mine.order_by(Lease.id.desc()).limit(1))
    held_by_other = session.scalar(
        select(Lease.id).where(Lease.level_id == level_id, active(), ~_of(seat)).limit(1)
    )
    if lease is None or lease.ended is not None or held_by_other is not None:
        raise ConflictError(
            "This level is no longer kept for you. What you typed is safe: submit it, or press next."
        )
    lease.expires = now() + timedelta(seconds=seconds)
    return lease


def release(session: Session, level_id: int, seat: Seat) -> None:
    """The level no longer lies before the seat; nothing happens if it did not."""
    _end(session, seat, Lease.level_id == level_id)


def end_all(session: Session, seat: Seat) -> None:
    """The window was closed: nothing lies before the seat any more."""
    _end(session, seat)


def held(session: Session, seat: Seat) -> Lease | None:
    """What lies before the seat now."""
    return session.scalar(select(Lease).where(_of(seat), active()).order_by(Lease.id.desc()).limit(1))


def left_at(session: Session, seat: Seat) -> Lease | None:
    """What lies before the seat, or last lay there and was not put away when its time ran out."""
    last = select(Lease).where(_of(seat), Lease.ended.is_(None)).order_by(Lease.id.desc()).limit(1)
    return session.scalar(last)


def latest(session: Session, level_id: int, reader: str) -> Lease | None:
    """The last lease that this reader had of the level, active or not, in whichever window."""
    query = select(Lease).where(Lease.level_id == level_id, Lease.reader == reader)
    return session.scalar(query.order_by(Lease.id.desc()).limit(1))


def is_blind(session: Session, reader: str) -> bool:
    """Whether a blinded level lies before this reader now, in any window."""
    query = select(Lease.id).where(Lease.reader == reader, active(), Lease.mode == ReadMode.BLINDED)
    return session.scalar(query.limit(1)) is not None


def has_active(session: Session, reader: str) -> bool:
    """Whether any level lies before this reader now."""
    return session.scalar(select(Lease.id).where(Lease.reader == reader, active()).limit(1)) is not None


def read_mode(session: Session, level: StudyLevel, reader: str) -> ReadMode:
    """The mode that a read of this reader is kept under: what they saw decides, never what a client says.

    Who was ever shown the level's predictions read it assisted. Else the mode it was served in
    counts; a level that was never served is blinded if its patient never trains.
    """
    if was_shown(session, level, reader):
        return ReadMode.ASSISTED
    lease = latest(session, level.id, reader)
    if lease is not None:
        return lease.mode
    return ReadMode.ASSISTED if level.study.patient.split is Split.TRAIN else ReadMode.BLINDED


def _of(seat: Seat) -> ColumnElement[bool]:
    return and_(Lease.reader == seat.reader, Lease.tab == seat.tab)


def _end(session: Session, seat: Seat, *which: ColumnElement[bool], but: Lease | None = None) -> None:
    for lease in session.scalars(select(Lease).where(_of(seat), Lease.ended.is_(None), *which)):
        if lease is not but:
            lease.ended = now()
