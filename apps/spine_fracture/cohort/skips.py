"""Skips: a reader passes a level over, and says why."""

from __future__ import annotations

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from spine_fracture.cohort.audit import record
from spine_fracture.cohort.columns import now
from spine_fracture.cohort.desk import Skip, SkipReason
from spine_fracture.cohort.levels import find_level
from spine_fracture.cohort.models import StudyLevel
from spine_fracture.errors import InputError

_LONGEST_NOTE = 2000


def skip_level(session: Session, level_id: int, reader: str, reason: SkipReason, note: str = "") -> Skip:
    """Keep that ``reader`` passed the level over; the last reason counts.

    Raises :class:`InputError` for a note that is too long, or for ``other`` without one.
    """
    if len(note) > _LONGEST_NOTE:
        raise InputError(f"The note is longer than {_LONGEST_NOTE} letters: shorten it.")
    if reason is SkipReason.OTHER and not note.strip():
        raise InputError("Say in the note why this level is skipped.")
    session.refresh(find_level(session, level_id), with_for_update=True)
    found = session.scalar(select(Skip).where(Skip.level_id == level_id, Skip.reader == reader))
    skip = found or Skip(level_id=level_id, reader=reader)
    skip.reason, skip.note, skip.created = reason, note, now()
    session.add(skip)
    session.flush()
    details: dict[str, object] = {"reason": reason.value}
    record(session, "level.skipped", f"level:{level_id}", actor=reader, details=details)
    return skip


def skipped_by(reader: str) -> ColumnElement[bool]:
    """For queries over :class:`StudyLevel`: whether ``reader`` passed the level over."""
    skip = select(Skip.id).where(Skip.level_id == StudyLevel.id, Skip.reader == reader)
    return skip.correlate(StudyLevel).exists()
