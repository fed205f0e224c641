"""Which levels are open to a reader on each work list: the conditions, and what the strategy ranks."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Select, distinct, func, or_, select
from sqlalchemy.orm import Session

from spine_fracture.active_learning.strategies import PoolLevel, StrategyConfig, chance
from spine_fracture.cohort.desk import Lease, WorkList
from spine_fracture.cohort.leases import active
from spine_fracture.cohort.models import Centre, LevelSource, Patient, Prediction, Read, Study, StudyLevel
from spine_fracture.cohort.predictions import serving_predictions
from spine_fracture.cohort.protocol import ProtocolConfig, has_reference, in_dispute
from spine_fracture.cohort.reads import JUDGES, STANDING
from spine_fracture.cohort.shown import shown_to
from spine_fracture.cohort.skips import skipped_by
from spine_fracture.cohort.splits import Split

#: Conditions speak of a level, its study and its patient: a query that uses them joins all three.
Conditions = tuple[ColumnElement[bool], ...]
_TRAINS = Patient.split == Split.TRAIN


def wanted(reader: str, work_list: WorkList, protocol: ProtocolConfig) -> Conditions:
    """Levels that need what this list is for, and that this reader may still give it.

    A reader is asked once for each level: any standing read of theirs rules it out, and so does a
    skip. Who was shown the predictions of a level can no longer read it blinded, and is not asked
    to. Whether the level lies before somebody just now is not looked at, see :func:`free`.
    """
    own = select(Read.id).where(
        Read.level_id == StudyLevel.id, Read.state.in_(STANDING), Read.reader == reader
    )
    return (
        *_readable(),
        ~own.correlate(StudyLevel).exists(),
        ~skipped_by(reader),
        *_needing(reader, work_list, protocol),
    )


def free(reader: str | None = None) -> ColumnElement[bool]:
    """Levels that lie before nobody; with ``reader``, before nobody else."""
    lease = select(Lease.id).where(Lease.level_id == StudyLevel.id, active())
    if reader is not None:
        lease = lease.where(Lease.reader != reader)
    return ~lease.correlate(StudyLevel).exists()


def training_pool(session: Session) -> list[PoolLevel]:
    """All levels of training patients, read or not, with the latest prediction of the models that serve.

    A level that these have not read yet comes with the latest prediction there is.
    """
    rows = session.execute(
        select(
            StudyLevel.id,
            Patient.key,
            Centre.name,
            Prediction.probabilities,
            Prediction.uncertainty,
            Prediction.reasons,
        )
        .join(Study, StudyLevel.study_id == Study.id)
        .join(Patient, Study.patient_id == Patient.id)
        .join(Centre, Patient.centre_id == Centre.id)
        .join(Prediction, Prediction.level_id == StudyLevel.id)
        .where(Prediction.id.in_(serving_predictions()), _TRAINS, *_readable())
    )
    return [
        PoolLevel(level_id, patient, centre, tuple(probabilities), uncertainty, tuple(reasons))
        for level_id, patient, centre, probabilities, uncertainty, reasons in rows
    ]


def training_levels(session: Session, conditions: Conditions) -> frozenset[int]:
    """Levels of training patients that these conditions admit."""
    return frozenset(session.scalars(_levels(_TRAINS, *conditions)))


def drawn_levels(session: Session, conditions: Conditions) -> list[int]:
    """Levels of training patients that a reader drew and no model has seen, the oldest first."""
    return list(session.scalars(_levels(_TRAINS, ~StudyLevel.predictions.any(), *conditions)))


def shown_levels(session: Session, conditions: Conditions, reader: str) -> frozenset[int]:
    """Those whose predictions this reader was shown."""
    return frozenset(session.scalars(_levels(shown_to(reader), *conditions)))


def judging_levels(session: Session, conditions: Conditions, strategy: StrategyConfig) -> list[int]:
    """Levels of validation and test patients, a whole patient after the other."""
    rows = session.execute(_levels(~_TRAINS, *conditions).add_columns(Patient.key))
    ordered = sorted(
        (chance(strategy.seed, "patient", patient), chance(strategy.seed, level_id), level_id)
        for level_id, patient in rows
    )
    return [level_id for *_, level_id in ordered]


def first_come(session: Session, conditions: Conditions) -> list[int]:
    """Levels in the order in which they were first read."""
    first_read = select(func.min(Read.id)).where(Read.level_id == StudyLevel.id, Read.state.in_(STANDING))
    query = _levels(*conditions).order_by(None)
    return list(session.scalars(query.order_by(first_read.correlate(StudyLevel).scalar_subquery())))


def count(session: Session, conditions: Conditions) -> int:
    return session.scalar(select(func.count()).select_from(_levels(*conditions).subquery())) or 0


def unread() -> Conditions:
    """Levels that nobody's standing read is of."""
    read = select(Read.id).where(Read.level_id == StudyLevel.id, Read.state.in_(STANDING))
    return (*_readable(), ~read.correlate(StudyLevel).exists())


def _levels(*conditions: ColumnElement[bool]) -> Select[int]:
    return (
        select(StudyLevel.id)
        .join(Study, StudyLevel.study_id == Study.id)
        .join(Patient, Study.patient_id == Patient.id)
        .where(*conditions)
        .order_by(StudyLevel.id)
    )


def _readable() -> Conditions:
    """Reference outlines of the same vertebra are rows of their own and are not asked about."""
    return (StudyLevel.current.is_(True), StudyLevel.source != LevelSource.REFERENCE)


def _needing(reader: str, work_list: WorkList, protocol: ProtocolConfig) -> Conditions:
    if work_list is WorkList.ADJUDICATION:
        return (in_dispute(), ~has_reference())
    readers = _readers_so_far()
    undecided = (~in_dispute(), ~has_reference())
    match work_list:
        case WorkList.SECOND:
            return (*undecided, readers > 0, readers < protocol.reads_per_level, ~shown_to(reader))
        case WorkList.BLINDED:
            return (*undecided, readers == 0, ~shown_to(reader))
        case WorkList.ASSISTED:
            return (*undecided, readers == 0, or_(_TRAINS, ~shown_to(reader)))


def _readers_so_far() -> ColumnElement[int]:
    """How many readers' reads count, as :func:`spine_fracture.cohort.reads.counts` says."""
    counting = select(func.count(distinct(Read.reader))).where(
        Read.level_id == StudyLevel.id, Read.state.in_(STANDING), or_(_TRAINS, JUDGES)
    )
    return counting.correlate(StudyLevel, Patient).scalar_subquery()
