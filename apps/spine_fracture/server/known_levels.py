"""The labelled levels that others may be compared with, and who may know their labels."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import and_, select
from sqlalchemy.orm import Session, defer, selectinload

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.cohort.models import Patient, Read, Study, StudyLevel
from spine_fracture.cohort.protocol import Need, ProtocolConfig, need
from spine_fracture.cohort.reads import REFERENCE, STANDING, standing_reads, trains
from spine_fracture.cohort.splits import Split
from spine_fracture.server.feature_space import LevelKey


@dataclass(frozen=True, order=True)
class KnownLevel:
    """A level of a training patient, and what the reader who asked may know that it is."""

    key: LevelKey
    name: Level
    diagnosis: Diagnosis


@dataclass(frozen=True)
class LabelledLevel:
    """A level of a training patient that somebody has read."""

    key: LevelKey
    study_uid: str


def known_levels(
    session: Session, level: StudyLevel, reader: str, protocol: ProtocolConfig
) -> tuple[KnownLevel, ...]:
    """The levels of patients other than that of ``level`` whose labels ``reader`` may know."""
    rows = _labelled(session, other_than=level.study.patient_id)
    return tuple(
        KnownLevel(LevelKey(row.id, row.version), row.name, label)
        for row in rows
        if (label := _label(row, reader, protocol)) is not None
    )


def labelled_levels(session: Session) -> tuple[LabelledLevel, ...]:
    """All that could ever be a :class:`KnownLevel` of anybody."""
    query = select(StudyLevel.id, StudyLevel.version, Study.uid).join(Study).join(Patient).where(_IS_LABELLED)
    rows = session.execute(query.order_by(StudyLevel.id))
    return tuple(LabelledLevel(LevelKey(level_id, version), uid) for level_id, version, uid in rows)


#: The current levels of training patients that have a standing read.
_IS_LABELLED = and_(
    StudyLevel.current,
    StudyLevel.reads.any(Read.state.in_(STANDING)),
    Patient.split == Split.TRAIN,
)


def _labelled(session: Session, other_than: int) -> tuple[StudyLevel, ...]:
    """The labelled levels of all patients but one, with what says whether they are settled."""
    query = (
        select(StudyLevel)
        .join(Study)
        .join(Patient)
        .where(_IS_LABELLED, Patient.id != other_than)
        .order_by(StudyLevel.id)
        .options(
            defer(StudyLevel.box),
            selectinload(StudyLevel.reads).defer(Read.box),
            selectinload(StudyLevel.study).selectinload(Study.patient),
        )
    )
    return tuple(session.scalars(query))


def _label(level: StudyLevel, reader: str, protocol: ProtocolConfig) -> Diagnosis | None:
    """The label of a level that needs no further read, or of the reader's own read; None if not one."""
    reads = [read for read in standing_reads(level) if trains(read)]
    decided = [read for read in reads if read.state in REFERENCE]
    own = [read for read in reads if read.reader == reader]
    said = {r.diagnosis for r in decided or (reads if need(level, protocol) is Need.NONE else own)}
    return said.pop() if len(said) == 1 else None
