"""Who was shown what the models say: kept as audit events, so that no such reader counts as blinded.

The reading room shows one level at a time (``level:ID``); ``/infer`` shows a whole study
(``study:ID``), and with it every level that the study has or will have.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, String, cast, literal, or_, select
from sqlalchemy.orm import Session

from spine_fracture.cohort.audit import record
from spine_fracture.cohort.models import StudyLevel
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.records import AuditEvent
from spine_fracture.cohort.studies import find_study

SHOWN = "prediction.shown"
_LONGEST_NAME = 64


def note_study_shown(project: Project, study_uid: str, reader: str) -> None:
    """Keep that ``reader`` got the predictions of a whole study; once for each reader and study."""
    with project.session() as session:
        subject = f"study:{find_study(session, study_uid).id}"
        if _noted(session, subject, reader):
            return
    with project.transaction() as session:
        record(session, SHOWN, subject, actor=reader[:_LONGEST_NAME])


def note_level_shown(session: Session, level_id: int, reader: str) -> None:
    """Keep, in the caller's transaction, that ``reader`` got the predictions of one level."""
    subject = f"level:{level_id}"
    if not _noted(session, subject, reader):
        record(session, SHOWN, subject, actor=reader[:_LONGEST_NAME])


def was_shown(session: Session, level: StudyLevel, reader: str) -> bool:
    """Whether ``reader`` ever got the predictions of this level, alone or with its study."""
    return _noted(session, f"level:{level.id}", reader) or _noted(session, f"study:{level.study_id}", reader)


def shown_to(reader: str) -> ColumnElement[bool]:
    """The same for queries over :class:`StudyLevel`."""
    # One look at the reader's events, not one for each level: a cohort has many of both.
    shown = select(AuditEvent.subject).where(
        AuditEvent.action == SHOWN, AuditEvent.actor == reader[:_LONGEST_NAME]
    )
    return or_(
        (literal("level:") + cast(StudyLevel.id, String)).in_(shown),
        (literal("study:") + cast(StudyLevel.study_id, String)).in_(shown),
    )


def _noted(session: Session, subject: str, reader: str) -> bool:
    event = select(AuditEvent.id).where(
        AuditEvent.action == SHOWN,
        AuditEvent.subject == subject,
        AuditEvent.actor == reader[:_LONGEST_NAME],
    )
    return session.scalar(event.limit(1)) is not None
