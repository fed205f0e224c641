"""Which predictions are published: those of training patients, by the models that read them last."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from spine_fracture.cohort.models import Prediction, Study
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
        last = _last_prediction(study)
        if last is None:
            raise InputError("No model has read this study: run spine-fracture read first.")
        queue_model_report(session, study, last.detector_version, last.classifier_version)
    return Chosen((study_uid,))


def queue_all(project: Project) -> Chosen:
    """Every study that may be published, each in a transaction of its own."""
    with project.session() as session:
        uids = session.scalars(select(Study.uid).order_by(Study.id)).all()
    queued, locked, unread = [], 0, 0
    for uid in uids:
        with project.transaction() as session:
            study = find_study(session, uid)
            last = _last_prediction(study)
            if study.patient.split is not Split.TRAIN:
                locked += 1
            elif last is None:
                unread += 1
            else:
                queue_model_report(session, study, last.detector_version, last.classifier_version)
                queued.append(uid)
    return Chosen(tuple(queued), locked, unread)


def _last_prediction(study: Study) -> Prediction | None:
    found = [prediction for level in study.levels if level.current for prediction in level.predictions]
    return max(found, key=lambda prediction: prediction.id, default=None)
