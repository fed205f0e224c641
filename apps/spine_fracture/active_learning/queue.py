"""A reader's queue: the strategy's levels and, mixed in, the blinded levels that models are judged by.

Only levels of training patients are ever ranked. Validation and test patients come whole, in seeded
random order, and always blinded. Some training levels are blinded too, and a blinded item carries
neither score nor reason, so nothing tells a reader which levels are the judging ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import ColumnElement, ColumnExpressionArgument, and_, case, distinct, func, select
from sqlalchemy.orm import Session, selectinload

from spine_fracture.active_learning.strategies import (
    PoolLevel,
    Ranked,
    StrategyConfig,
    blinded_slots,
    chance,
    rank,
)
from spine_fracture.anatomy import Level
from spine_fracture.cohort.models import (
    Centre,
    LevelSlice,
    LevelSource,
    ModelVersion,
    Patient,
    Prediction,
    Read,
    ReadMode,
    Role,
    Study,
    StudyLevel,
)
from spine_fracture.cohort.reads import JUDGES, STANDING
from spine_fracture.cohort.splits import Split
from spine_fracture.cohort.states import ModelStatus
from spine_fracture.errors import InputError
from spine_fracture.geometry import PixelBox

BLINDED_REASON = "next level"


@dataclass(frozen=True)
class SeriesBox:
    """Where to look in one series: the slice to open and the box on it."""

    series_uid: str
    role: Role | None
    slice_index: int
    sop_uid: str
    box: PixelBox


@dataclass(frozen=True)
class QueueItem:
    """One level to read. ``series`` has T2 first, then T1, where the study has them.

    ``level_version`` goes back with the read, so that a level that changed meanwhile is noticed.
    ``uncertainty`` is the combined score the level was ranked by; None when chance ranked it or the
    read is blinded.
    """

    level_id: int
    level_version: int
    study_uid: str
    level: Level
    centre: str
    series: tuple[SeriesBox, ...]
    mode: ReadMode
    reason: str
    uncertainty: float | None

    @property
    def box(self) -> PixelBox:
        """The box in the first series."""
        return self.series[0].box


@dataclass(frozen=True)
class _Place:
    level_id: int
    mode: ReadMode
    reason: str
    score: float | None


def next_levels(session: Session, reader: str, count: int, strategy: StrategyConfig) -> tuple[QueueItem, ...]:
    """The next ``count`` levels for a reader; fewer when there are no more. Asking changes nothing."""
    if count < 1:
        raise InputError(f"Ask for one level or more, not {count}.")
    ranked = rank(_training_pool(session, reader, strategy), strategy)
    teaching = (_training_place(item, reader, strategy) for item in ranked)
    judging = (
        _Place(level_id, ReadMode.BLINDED, BLINDED_REASON, None)
        for level_id in _judging_levels(session, reader, strategy)
    )
    slots = blinded_slots(strategy, reader, _reads_of(session, reader))
    places = list(islice(mixed(teaching, judging, slots), count))
    return _items(session, places)


def ranked_levels(session: Session, strategy: StrategyConfig) -> tuple[Ranked, ...]:
    """All unread training levels in the order of the strategy, whoever reads them."""
    return rank(_training_pool(session, "", strategy), strategy)


def mixed(teaching: Iterator[_Place], judging: Iterator[_Place], slots: Iterator[bool]) -> Iterator[_Place]:
    """Both streams by the slots; when one has run out the other fills its places."""
    for wants_judging in slots:
        first, second = (judging, teaching) if wants_judging else (teaching, judging)
        place = next(first, None) or next(second, None)
        if place is None:
            return
        yield place


def _training_place(item: Ranked, reader: str, strategy: StrategyConfig) -> _Place:
    level_id = item.level.level_id
    if chance(strategy.seed, reader, "blinded", level_id) % strategy.blinded_training_one_in == 0:
        return _Place(level_id, ReadMode.BLINDED, BLINDED_REASON, None)
    return _Place(level_id, ReadMode.ASSISTED, item.reason, item.score)


def _training_pool(session: Session, reader: str, strategy: StrategyConfig) -> list[PoolLevel]:
    """Unread levels of training patients with the latest prediction of the models that serve.

    A level that these have not read yet comes with the latest prediction there is.
    """
    champions = select(ModelVersion.version).where(ModelVersion.status == ModelStatus.CHAMPION)
    serving = and_(Prediction.detector_version.in_(champions), Prediction.classifier_version.in_(champions))
    latest = (
        select(func.coalesce(func.max(case((serving, Prediction.id))), func.max(Prediction.id)).label("id"))
        .group_by(Prediction.level_id)
        .subquery()
    )
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
        .join(latest, latest.c.id == Prediction.id)
        .where(Patient.split == Split.TRAIN, *_open_to(reader, strategy, Read.state.in_(STANDING)))
        .order_by(StudyLevel.id)
    )
    return [
        PoolLevel(level_id, patient, centre, tuple(probabilities), uncertainty, tuple(reasons))
        for level_id, patient, centre, probabilities, uncertainty, reasons in rows
    ]


def _judging_levels(session: Session, reader: str, strategy: StrategyConfig) -> list[int]:
    """Unread levels of validation and test patients, a whole patient after the other."""
    rows = session.execute(
        select(StudyLevel.id, Patient.key)
        .join(Study, StudyLevel.study_id == Study.id)
        .join(Patient, Study.patient_id == Patient.id)
        .where(Patient.split != Split.TRAIN, *_open_to(reader, strategy, JUDGES))
    )
    ordered = sorted(
        (chance(strategy.seed, "patient", patient), chance(strategy.seed, level_id), level_id)
        for level_id, patient in rows
    )
    return [level_id for *_, level_id in ordered]


def _open_to(
    reader: str, strategy: StrategyConfig, useful: ColumnElement[bool]
) -> tuple[ColumnExpressionArgument[bool], ...]:
    """Found by the detector, not answered by this reader, and by fewer readers than are wanted.

    Only ``useful`` reads of others count. Any read of this reader does: who has seen a level with
    the models' help can no longer read it blinded. Reference outlines of the same vertebra are rows
    of their own and are not asked about.
    """
    of_level = Read.level_id == StudyLevel.id
    readers = select(func.count(distinct(Read.reader))).where(of_level, useful)
    by_others = readers.correlate(StudyLevel).scalar_subquery()
    own = select(Read.id).where(of_level, Read.state.in_(STANDING), Read.reader == reader)
    by_reader = own.correlate(StudyLevel).exists()
    return (
        StudyLevel.current,
        StudyLevel.source == LevelSource.DETECTED,
        by_others < strategy.reads_per_level,
        ~by_reader,
    )


def _reads_of(session: Session, reader: str) -> int:
    count = session.scalar(
        select(func.count(distinct(Read.level_id))).where(Read.reader == reader, Read.state.in_(STANDING))
    )
    return count or 0


def _items(session: Session, places: Sequence[_Place]) -> tuple[QueueItem, ...]:
    levels = session.scalars(
        select(StudyLevel)
        .where(StudyLevel.id.in_([place.level_id for place in places]))
        .options(
            selectinload(StudyLevel.slices).selectinload(LevelSlice.series),
            selectinload(StudyLevel.study).selectinload(Study.patient).selectinload(Patient.centre),
        )
    )
    by_id = {level.id: level for level in levels}
    return tuple(_item(by_id[place.level_id], place) for place in places)


def _item(level: StudyLevel, place: _Place) -> QueueItem:
    return QueueItem(
        level_id=level.id,
        level_version=level.version,
        study_uid=level.study.uid,
        level=level.name,
        centre=level.study.patient.centre.name,
        series=_where_to_look(level.slices),
        mode=place.mode,
        reason=place.reason,
        uncertainty=place.score,
    )


def _where_to_look(slices: Sequence[LevelSlice]) -> tuple[SeriesBox, ...]:
    """The best slice of each series, T2 before T1 before any other."""
    best: dict[int, LevelSlice] = {}
    for part in slices:
        if part.series_id not in best or part.score > best[part.series_id].score:
            best[part.series_id] = part
    order = {Role.T2: 0, Role.T1: 1}
    chosen = sorted(best.values(), key=lambda s: (order.get(s.series.role, 2) if s.series.role else 2, s.id))
    return tuple(SeriesBox(s.series.uid, s.series.role, s.slice_index, s.sop_uid, s.box) for s in chosen)
