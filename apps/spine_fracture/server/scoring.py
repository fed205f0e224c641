"""The scoring method: how often the serving models and the readers agree, on levels that were read."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from spine_fracture.anatomy import MODEL_CLASSES
from spine_fracture.cohort import models
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.reads import STANDING
from spine_fracture.cohort.splits import Split
from spine_fracture.evaluation.statistics.metrics import class_scores, confusion, macro_f1

METHOD = "reader_agreement"
DESCRIPTION = (
    "Agreement of the models with the reads of training patients; the locked patients are left to the gate."
)


def reader_agreement(project: Project) -> dict[str, Any]:
    """Levels read, accuracy, macro-F1 and the scores of each class, the readers being the truth."""
    truth: list[int] = []
    answers: list[int] = []
    with project.session() as session:
        rows = session.scalars(
            select(models.Read)
            .join(models.StudyLevel)
            .join(models.Study)
            .join(models.Patient)
            .where(models.Patient.split == Split.TRAIN, models.Read.state.in_(STANDING))
            .options(selectinload(models.Read.level).selectinload(models.StudyLevel.predictions))
        )
        for read in rows:
            if read.diagnosis in MODEL_CLASSES and read.level.predictions:
                probabilities = read.level.predictions[-1].probabilities
                truth.append(MODEL_CLASSES.index(read.diagnosis))
                answers.append(max(range(len(probabilities)), key=probabilities.__getitem__))
    matrix = confusion(truth, answers, len(MODEL_CLASSES))
    return {
        "levels": len(truth),
        "accuracy": float(matrix.trace() / len(truth)) if truth else None,
        "macro_f1": float(macro_f1(matrix)) if truth else None,
        "classes": [asdict(score) for score in class_scores(matrix, MODEL_CLASSES)],
    }
