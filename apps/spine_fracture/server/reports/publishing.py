"""Which predictions are published: those of training patients, by the models that serve.

Of a study that these have not read, by those that read it last.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from spine_fracture.cohort.models import Prediction, Study, StudyLevel
from spine_fracture.cohort.predictions import serving_prediction
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.splits import Split
from spine_fracture.cohort.studies import find_study
from spine_fracture.errors import InputError
from spine_fracture.server.reports.outbox import queue_model_report


@dataclass(frozen=True)
class Chosen:
    """UIDs of the studies whose predictions are to be published, and how many are not."""

    queued: tuple[str, ...]
    locked: int = 0
    unread: int = 0


def queue_study(project: Project, study_uid: str) -> Chosen:
    """Raises :class:`~spine_fracture.errors.ForbiddenError` for a validation or test patient,
    :class:`~spine_fracture.errors.NotFoundError` for an unknown study, :class:`InputError` for one that
    no model has read.
    """
    with project.transaction() as session:
        study = find_study(session, study_uid)
        said = _prediction(session, study)
        if said is None:
            raise InputError("No model has read this study: run spine-fracture read first.")
        queue_model_report(session, study, said.detector_version, said.classifier_version)
    return Chosen((study_uid,))


def queue_all(project: Project) -> Chosen:
    """Every study that may be published, each in a transaction of its own."""
    with project.session() as session:
        uids = session.scalars(select(Study.uid).order_by(Study.id)).all()
    queued, locked, unread = [], 0, 0
    for uid in uids:
        with project.transaction() as session:
            study = find_study(session, uid)
            said = _prediction(session, study)
            if study.patient.split is not Split.TRAIN:
                locked += 1
            elif said is None:
                unread += 1
            else:
                queue_model_report(session, study, said.detector_version, said.classifier_version)
                queued.append(uid)
    return Chosen(tuple(queued), locked, unread)


def _prediction(session: Session, study: Study) -> Prediction | None:
    """One by the models that the report is of."""
    return serving_prediction(session, StudyLevel.study_id == study.id, StudyLevel.current)
