"""Which prediction of a level is meant: that of the models that serve, though others may have come later."""

from __future__ import annotations

from sqlalchemy import ColumnElement, ColumnExpressionArgument, Select, and_, case, func, select
from sqlalchemy.orm import Session

from spine_fracture.cohort.models import Prediction, StudyLevel
from spine_fracture.cohort.records import ModelVersion
from spine_fracture.cohort.states import ModelStatus


def serving_prediction(session: Session, *levels: ColumnExpressionArgument[bool]) -> Prediction | None:
    """The last one of the models that serve on the levels that these conditions admit.

    Where these have read none of them, the last one there is; None where no model has.
    """
    query = select(Prediction).join(StudyLevel).where(*levels)
    return session.scalar(query.order_by(by_serving().desc(), Prediction.id.desc()).limit(1))


def serving_predictions() -> Select[tuple[int]]:
    """The same of each level by itself, as ids for queries."""
    serving = func.max(case((by_serving(), Prediction.id)))
    chosen = select(func.coalesce(serving, func.max(Prediction.id))).group_by(Prediction.level_id)
    return chosen.correlate(None)


def by_serving() -> ColumnElement[bool]:
    """Predictions of the models that serve, both of them."""
    champions = select(ModelVersion.version).where(ModelVersion.status == ModelStatus.CHAMPION)
    return and_(Prediction.detector_version.in_(champions), Prediction.classifier_version.in_(champions))
