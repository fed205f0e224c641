"""Who may see and do what at the desk. Asked by the services, so that no route can forget it."""

from __future__ import annotations

from sqlalchemy.orm import Session

from spine_fracture.cohort.desk import Lease, WorkList
from spine_fracture.cohort.leases import is_blind
from spine_fracture.cohort.models import Read, ReadMode, StudyLevel
from spine_fracture.cohort.people import Role
from spine_fracture.cohort.protocol import Need, ProtocolConfig, need
from spine_fracture.cohort.splits import Split
from spine_fracture.errors import BlindedError
from spine_fracture.server.auth import Principal

BLINDED = "You are reading blinded: what the models and others say is shown after your read."
_LOCKED = (
    "This patient judges the models: what they say of such a patient is shown to engineers alone, so that "
    "every read of it stays blinded."
)
#: They oversee reads; a reader knows only their own until a level is settled.
_OVERSEERS = (Role.ADJUDICATOR, Role.DATA_MANAGER, Role.ENGINEER)


def may_use(who: Principal, work_list: WorkList) -> None:
    """Raises :class:`ForbiddenError` when a list is not for this principal."""
    who.needs(Role.ADJUDICATOR if work_list is WorkList.ADJUDICATION else Role.READER)


def not_blind(session: Session, reader: str) -> None:
    """Raises :class:`BlindedError` while a blinded level lies before this reader, in any window."""
    if is_blind(session, reader):
        raise BlindedError(BLINDED)


def is_blinded(session: Session, lease: Lease) -> bool:
    """Whether the holder of a lease is to have no help: for this level, or for one in another window."""
    return lease.mode is ReadMode.BLINDED or is_blind(session, lease.reader)


def not_locked(who: Principal, split: Split) -> None:
    """Raises :class:`BlindedError` for what models say of a patient that never trains."""
    if split is not Split.TRAIN and not who.may(Role.ENGINEER):
        raise BlindedError(_LOCKED)


def is_settled(level: StudyLevel, protocol: ProtocolConfig) -> bool:
    """Whether a level needs no further read, so that what was said of it is no secret."""
    return need(level, protocol) is Need.NONE


def may_see(who: Principal, reader: str | None, read: Read, protocol: ProtocolConfig) -> bool:
    """Whether ``reader``, for whom ``who`` asks, may know this read."""
    return read.reader == reader or who.may(*_OVERSEERS) or is_settled(read.level, protocol)
