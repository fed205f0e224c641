"""Who was shown what the models say: kept as audit events, so that no such reader counts as blinded."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from spine_fracture.cohort.audit import record
from spine_fracture.cohort.models import AuditEvent, Study
from spine_fracture.cohort.project import Project

SHOWN = "prediction.shown"
_LONGEST_NAME = 64


def note_shown(project: Project, study_uid: str, reader: str) -> None:
    """Keep that ``reader`` got the predictions of a study; once for each reader and study."""
    with project.session() as session:
        if was_shown(session, study_uid, reader):
            return
    with project.transaction() as session:
        record(session, SHOWN, _subject(session, study_uid), actor=reader[:_LONGEST_NAME])


def was_shown(session: Session, study_uid: str, reader: str) -> bool:
    """Whether ``reader`` ever got the predictions of this study."""
    event = select(AuditEvent.id).where(
        AuditEvent.action == SHOWN,
        AuditEvent.subject == _subject(session, study_uid),
        AuditEvent.actor == reader[:_LONGEST_NAME],
    )
    return session.scalar(event.limit(1)) is not None


def _subject(session: Session, study_uid: str) -> str:
    return f"study:{session.scalars(select(Study.id).where(Study.uid == study_uid)).one()}"
