"""Which studies models have read as they are now: series and slices may come after a reading.

What ingest and the models did to a study is told by the order of the events on record, not by the rows
that they left: a reading that says again what is known already leaves none.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Select, String, case, cast, func, literal, or_, select
from sqlalchemy.orm import Session

from spine_fracture.cohort.audit import record
from spine_fracture.cohort.levels import STUDY_READ, store_reading, versions
from spine_fracture.cohort.models import Prediction, Study, StudyLevel
from spine_fracture.cohort.records import AuditEvent
from spine_fracture.cohort.studies import find_study
from spine_fracture.levels import StudyReading

#: The event of taking something new in.
STUDY_INGESTED = "study.ingested"


def growth(session: Session, study: Study) -> int:
    """When ``study`` last got something new: a number that only grows, 0 where nothing is on record."""
    of_it = (AuditEvent.subject == _subject(study), AuditEvent.action == STUDY_INGESTED)
    return session.scalar(select(func.max(AuditEvent.id)).where(*of_it)) or 0


def read_by(detector: str, classifier: str) -> ColumnElement[bool]:
    """For queries over :class:`Study`: these versions predicted something in it; nothing came since."""
    theirs = StudyLevel.predictions.any(
        (Prediction.detector_version == detector) & (Prediction.classifier_version == classifier)
    )
    # One look at all events, not one for each study: a cohort has many of both.
    subject = literal("study:") + cast(Study.id, String)
    return Study.levels.any(theirs) & subject.not_in(_grown_since(detector, classifier))


def outgrown(session: Session, study: Study, detector: str, classifier: str) -> bool:
    """Whether ``study`` got something new after these versions last read it."""
    of_it = _grown_since(detector, classifier).where(AuditEvent.subject == _subject(study))
    return session.scalar(of_it) is not None


def keep_reading(session: Session, reading: StudyReading, opened: int) -> bool:
    """Store a reading of a study whose :func:`growth` was ``opened`` when its pictures were opened.

    One of a study that has grown meanwhile is not stored; returns whether it was. It would pass for one of
    the study as it is now.
    """
    study = find_study(session, reading.study_uid)
    if growth(session, study) != opened:
        return False
    store_reading(session, reading)
    if outgrown(session, study, reading.detector_version, reading.classifier_version):
        # What came made no difference, so that nothing new was stored: it was read all the same.
        models = versions(reading.detector_version, reading.classifier_version)
        record(session, STUDY_READ, _subject(study), model_version=models)
    return True


def _grown_since(detector: str, classifier: str) -> Select[str]:
    """The subjects of the studies that got something new after these versions last read them."""
    theirs = AuditEvent.model_version == versions(detector, classifier)
    ingested = func.max(case((AuditEvent.action == STUDY_INGESTED, AuditEvent.id)))
    read = func.max(case((AuditEvent.action == STUDY_READ, AuditEvent.id)))
    return (
        select(AuditEvent.subject)
        .where(
            AuditEvent.action.in_((STUDY_INGESTED, STUDY_READ)),
            or_(AuditEvent.action == STUDY_INGESTED, theirs),
        )
        .group_by(AuditEvent.subject)
        .having(ingested > func.coalesce(read, 0))
    )


def _subject(study: Study) -> str:
    return f"study:{study.id}"
