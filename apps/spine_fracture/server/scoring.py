"""The scoring method: how often the serving models and the readers agree, on levels that were read."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import select

from spine_fracture.anatomy import MODEL_CLASSES
from spine_fracture.cohort import models
from spine_fracture.cohort.predictions import by_serving, serving_predictions
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.reads import STANDING
from spine_fracture.cohort.splits import Split
from spine_fracture.evaluation.statistics.metrics import class_scores, confusion, macro_f1

METHOD = "reader_agreement"
DESCRIPTION = (
    "Agreement of the models with the reads of training patients; the locked patients are left to the gate."
)


def reader_agreement(project: Project) -> dict[str, Any]:
    """Levels and their reads, accuracy, macro-F1 and the scores of each class, the readers being the truth.

    The scores are over reads: two readers of one level are two. Levels that the models that serve have not
    read do not count.
    """
    levels: set[int] = set()
    truth: list[int] = []
    answers: list[int] = []
    with project.session() as session:
        rows = session.execute(
            select(models.Read.level_id, models.Read.diagnosis, models.Prediction.probabilities)
            .join(models.StudyLevel, models.Read.level_id == models.StudyLevel.id)
            .join(models.Study)
            .join(models.Patient)
            .join(models.Prediction, models.Prediction.level_id == models.StudyLevel.id)
            .where(
                models.Patient.split == Split.TRAIN,
                models.Read.state.in_(STANDING),
                models.Read.diagnosis.in_(MODEL_CLASSES),
                models.Prediction.id.in_(serving_predictions()),
                by_serving(),
            )
        )
        for level_id, diagnosis, probabilities in rows:
            levels.add(level_id)
            truth.append(MODEL_CLASSES.index(diagnosis))
            answers.append(max(range(len(probabilities)), key=probabilities.__getitem__))
    matrix = confusion(truth, answers, len(MODEL_CLASSES))
    return {
        "levels": len(levels),
        "reads": len(truth),
        "accuracy": float(matrix.trace() / len(truth)) if truth else None,
        "macro_f1": float(macro_f1(matrix)) if truth else None,
        "classes": [asdict(score) for score in class_scores(matrix, MODEL_CLASSES)],
    }
