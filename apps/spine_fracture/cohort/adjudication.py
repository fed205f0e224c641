"""Adjudication: where readers disagree, one who read neither way decides, and that is the reference."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from spine_fracture.cohort.levels import find_level
from spine_fracture.cohort.models import Read, StudyLevel
from spine_fracture.cohort.protocol import has_reference, in_dispute
from spine_fracture.cohort.reads import (
    REFERENCE,
    ReadSubmission,
    find_by_token,
    move_read,
    standing_reads,
    submit_read,
)
from spine_fracture.cohort.states import ReadEvent
from spine_fracture.errors import ConflictError


def adjudicate(session: Session, submission: ReadSubmission) -> Read:
    """Store the adjudicator's decision: it is the level's reference, the readers' own reads stay.

    Raises :class:`ConflictError` when the level was decided already, when the adjudicator read it
    themselves, or when nobody's read of it stands any more; else as :func:`submit_read`.
    """
    level = find_level(session, submission.level_id)
    session.refresh(level, with_for_update=True)
    known = find_by_token(session, submission)
    if known is not None:
        return known
    standing = standing_reads(level)
    if any(read.state in REFERENCE for read in standing):
        raise ConflictError("This level was decided already: go on with the next one.")
    if any(read.reader == submission.reader for read in standing):
        raise ConflictError("You read this level yourself: let another adjudicator decide.")
    if not standing:
        raise ConflictError("The reads of this level were taken back: there is nothing to decide any more.")
    read = submit_read(session, submission)
    move_read(session, read, ReadEvent.ADJUDICATE, actor=submission.reader)
    return read


def awaiting(session: Session) -> tuple[int, ...]:
    """The ids of the levels whose readers disagree and that nobody decided yet."""
    query = select(StudyLevel.id).where(StudyLevel.current, in_dispute(), ~has_reference())
    return tuple(session.scalars(query.order_by(StudyLevel.id)))
