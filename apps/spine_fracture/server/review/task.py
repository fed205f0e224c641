"""A level as its reader sees it: what to hang, where to open, and only what this reader may know."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from spine_fracture.active_learning.uncertainty import combined
from spine_fracture.anatomy import MODEL_CLASSES
from spine_fracture.cohort import models
from spine_fracture.cohort.desk import Lease, WorkList
from spine_fracture.cohort.levels import slices_to_open
from spine_fracture.cohort.models import LevelSource, Role
from spine_fracture.cohort.predictions import serving_prediction
from spine_fracture.cohort.reads import standing_reads
from spine_fracture.imaging import Plane
from spine_fracture.imaging import Sequence as Weighting
from spine_fracture.server.answers import UncertaintyAnswer
from spine_fracture.server.review.answers import (
    BoxView,
    LevelView,
    Opinion,
    Progress,
    ReadView,
    SeriesView,
    Task,
    TaskMode,
)
from spine_fracture.server.review.screen import Screen

_NAMES = {
    Weighting.T1: "T1",
    Weighting.T2: "T2",
    Weighting.T2_FAT_SAT: "STIR or fat-saturated T2",
    Weighting.T1_CONTRAST: "T1 with contrast",
    Weighting.UNKNOWN: "sequence unknown",
}
_ROLES = {Role.T1: 0, Role.T2: 1, None: 2}


@dataclass(frozen=True)
class Around:
    """What a task says beside its level: how far the reader is, and why it was chosen."""

    lease_seconds: int
    progress: Progress
    why: str
    draft: ReadView | None


def build_task(
    session: Session, lease: Lease, around: Around, opinion: Opinion | None, screen: Screen
) -> Task:
    """The task of a lease. ``opinion`` is None wherever the reader is not to see it."""
    level = _load(session, lease.level_id)
    study = level.study
    adjudicates = lease.work_list is WorkList.ADJUDICATION
    return Task(
        level_id=level.id,
        level_version=level.version,
        name=level.name,
        numbering_sure=level.numbering_sure or lease.mode is models.ReadMode.BLINDED,
        study=study.uid,
        centre=study.patient.centre.name,
        list=lease.work_list,
        mode=TaskMode.ADJUDICATION if adjudicates else TaskMode(lease.mode),
        expires=lease.expires,
        lease_seconds=around.lease_seconds,
        why=around.why,
        series=series_to_hang(study, screen),
        views=views_of(level, screen),
        levels=levels_of(study, screen),
        opinion=opinion,
        reads=tuple(
            read_view(read, screen) for read in standing_reads(level, None if adjudicates else lease.reader)
        ),
        draft=around.draft,
        progress=around.progress,
        notes=tuple(_warnings(study, screen)),
    )


def opinion_of(session: Session, level_id: int) -> Opinion | None:
    """What the models that serve, or else the last to read it, say of a level; None when a reader drew it."""
    said = serving_prediction(session, models.StudyLevel.id == level_id)
    if said is None:
        return None
    return Opinion(
        probabilities=dict(zip(MODEL_CLASSES, said.probabilities, strict=True)),
        uncertainty=combined(said.uncertainty),
        parts=UncertaintyAnswer.of(said.uncertainty),
        detector_version=said.detector_version,
        classifier_version=said.classifier_version,
    )


def series_to_hang(study: models.Study, screen: Screen) -> tuple[SeriesView, ...]:
    """T1, T2, then the other sagittal series, then the rest; none that was computed from others."""
    ordered = sorted(
        filter(screen.hangs, study.series),
        key=lambda s: (_ROLES[s.role], s.plane is not Plane.SAGITTAL, s.sequence, s.id),
    )
    return tuple(
        SeriesView(
            uid=series.uid,
            sequence=series.sequence,
            role=series.role,
            slices=series.slices,
            description=f"{_NAMES[series.sequence]}, {series.plane}",
        )
        for series in ordered
    )


def views_of(level: models.StudyLevel, screen: Screen) -> tuple[BoxView, ...]:
    """The slice to open of T1 and of T2; of any series when the level lies on neither."""
    ordered = sorted(slices_to_open(level.slices), key=lambda part: (_ROLES[part.series.role], part.id))
    read = [part for part in ordered if part.series.role is not None]
    return _boxes(read or ordered, screen)


def levels_of(study: models.Study, screen: Screen) -> tuple[LevelView, ...]:
    """All levels that stand, head to foot; outlines that came with the data are no reader's to see."""
    shown = [lv for lv in study.levels if lv.current and lv.source is not LevelSource.REFERENCE]
    return tuple(
        LevelView(
            id=level.id,
            version=level.version,
            name=level.name,
            source=level.source,
            boxes=_boxes(level.slices, screen),
        )
        for level in sorted(shown, key=lambda level: (level.name.order, level.id))
    )


def load_study(session: Session, study_uid: str) -> models.Study:
    """The study with all that :func:`levels_of` and :func:`series_to_hang` look at, in a few queries."""
    levels = selectinload(models.Study.levels)
    query = select(models.Study).where(models.Study.uid == study_uid)
    return session.scalars(
        query.options(
            selectinload(models.Study.series),
            selectinload(models.Study.patient).selectinload(models.Patient.centre),
            levels.selectinload(models.StudyLevel.slices).selectinload(models.LevelSlice.series),
        )
    ).one()


def read_view(read: models.Read, screen: Screen) -> ReadView:
    return ReadView(
        id=read.id,
        reader=read.reader,
        diagnosis=read.diagnosis,
        features=tuple(sorted(read.features)),
        confidence=read.confidence,
        basis=read.basis,
        note=read.note,
        name=read.name_given,
        box=_drawn(read, screen),
        created=read.created,
        mode=read.mode,
    )


def _load(session: Session, level_id: int) -> models.StudyLevel:
    query = (
        select(models.StudyLevel)
        .where(models.StudyLevel.id == level_id)
        .options(
            selectinload(models.StudyLevel.reads).selectinload(models.Read.series),
            selectinload(models.StudyLevel.study),
        )
        .execution_options(populate_existing=True)
    )
    level = session.scalars(query).one()
    load_study(session, level.study.uid)
    return level


def _warnings(study: models.Study, screen: Screen) -> Iterable[str]:
    by_role = {series.role: series for series in study.series}
    for role in (Role.T1, Role.T2):
        if role not in by_role:
            yield f"This study has no sagittal {role.name}: only the other sequence is shown."
        elif not screen.opens(by_role[role]):
            yield f"The pictures of {role.name} are no longer where they were: ingest the study again."


def _boxes(parts: Iterable[models.LevelSlice], screen: Screen) -> tuple[BoxView, ...]:
    return tuple(box for p in parts for box in screen.placed(p.series, p.slice_index, p.sop_uid, p.box))


def _drawn(read: models.Read, screen: Screen) -> BoxView | None:
    if read.series is None or read.box is None or read.slice_index is None:
        return None
    return next(iter(screen.placed(read.series, read.slice_index, read.sop_uid, read.box)), None)
