"""The slices of a cohort as pictures that teach a detector: made once, shared by all trainings on it."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.detection.tasks import DetectionTask, sequences_of
from spine_fracture.errors import InputError, InsufficientEvidenceError
from spine_fracture.evaluation.answers import Part
from spine_fracture.geometry import FloatArray, PixelBox
from spine_fracture.training.cohorts.derived_cache import derived_cache
from spine_fracture.training.cohorts.study_cache import CachedStudy, LevelLabel, StudyCache, StudyLabel
from spine_fracture.training.detectors.config import DetectorConfig
from spine_fracture.training.detectors.pictures import (
    BACKGROUND,
    DOUBTFUL,
    FORM,
    PictureCache,
    TeachingPicture,
    ellipse_in,
    horizon_above,
    kind_of,
    slices_near_middle,
    tiles,
    write_pictures,
)

TEACHES, JUDGES = "teaches", "judges"
#: The parts of a cohort that pictures are made of: those who teach, and those who say when to stop.
_SHOWN = (None, Part.VALIDATION)


def cohort_pictures(config: DetectorConfig, cohort: Path) -> PictureCache:
    """The pictures of all patients who teach, or say when to stop, made where they are not yet.

    Each is of the source :data:`TEACHES` or :data:`JUDGES`. Raises :class:`InputError` for a cohort that
    cannot teach what ``config`` asks for.
    """
    studies = StudyCache(cohort / "studies")
    require_all_labelled(studies, _SHOWN)
    _require_teachers(studies, config)
    left_out = _left_out(studies, config)
    # Of a cohort whose studies all have what is read, detectors of any sequences share the pictures.
    return PictureCache(
        derived_cache(
            cohort,
            f"pictures-{config.task}",
            (FORM, config.size, config.sources.slices, *left_out),
            lambda folder, studies: write_pictures(folder, _pictures(studies, config, left_out)),
        )
    )


def require_all_labelled(studies: StudyCache, parts: Collection[Part | None]) -> None:
    """Raises :class:`InputError` where of studies of these parts only regions are labelled: a body without
    one would teach that there is none, and finding it would count as a false box.
    """
    regions = sum(label.only_regions and label.part in parts for label in studies.labels)
    if regions:
        raise InputError(
            f"In {regions} of {len(studies)} studies of {studies.name} only regions are labelled, so nothing "
            "says what is background there: train classifiers on this cohort, and train and judge detectors "
            "on one whose every vertebra is labelled."
        )


def _left_out(studies: StudyCache, config: DetectorConfig) -> tuple[int, ...]:
    """Places of the studies that would teach or judge, had any of what is read been acquired."""
    read = sequences_of(config.sequences)
    return tuple(
        at for at, label in enumerate(studies.labels) if label.part in _SHOWN and not label.has_any(read)
    )


def _require_teachers(studies: StudyCache, config: DetectorConfig) -> None:
    task, read = config.task, sequences_of(config.sequences)
    teach = [label for label in studies.labels if label.part is None and label.has_any(read)]
    taught = {level.diagnosis for label in teach for level in label.levels}
    if not taught:
        raise InputError(
            f"No patient of {studies.name} with {' or '.join(read)} teaches: make the cohort with more "
            "patients, or set other `sequences`."
        )
    lacking = [name for name in task.classes if task is not DetectionTask.KINDS and name not in taught]
    if lacking:
        raise InsufficientEvidenceError(
            f"No training patient of {studies.name} has a level that is {' or '.join(lacking)}: add patients "
            "who have."
        )


def kind_in(task: DetectionTask, level: LevelLabel, *, shown: bool) -> int:
    """What a body on a slice is to a detector of ``task``; ``shown``: whether its finding is on the slice.

    An indeterminate body is there, but teaches nothing: neither that it is altered nor that it is not, nor
    that there is none. S1 and C2 are told by their shape, whatever their state. A finding that this slice
    hardly shows teaches a detector of lesions nothing, nor does a body that is neither normal nor one of the
    lesions where there is a class for normal ones.
    """
    unclear = level.diagnosis is Diagnosis.INDETERMINATE
    if task is DetectionTask.KINDS:
        if unclear and kind_of(level.level, altered=True) != kind_of(level.level, altered=False):
            return DOUBTFUL
        return kind_of(level.level, altered=shown and level.diagnosis is not Diagnosis.NORMAL)
    if unclear or not shown:
        return DOUBTFUL
    if level.diagnosis in task.classes:
        return task.classes.index(level.diagnosis)
    return BACKGROUND if task is DetectionTask.LESIONS else DOUBTFUL


def horizon_of(label: StudyLabel, boxes: list[PixelBox]) -> FloatArray | None:
    """The line above which nothing was labelled, given the boxes head to foot; None where all was."""
    if label.labelled_from is None or len(boxes) < 2:
        return None
    return horizon_above(tuple(ellipse_in(box) for box in boxes))


def bodies_on(label: StudyLabel, at: int) -> list[tuple[LevelLabel, PixelBox, bool]]:
    """The bodies on slice ``at``, head to foot, with their boxes and whether their finding is shown there.

    C1 is no body.
    """
    found = []
    for level in label.levels:
        if level.level is not Level.C1 and at in level.slices:
            on = level.slices.index(at)
            found.append((level, PixelBox(*level.boxes[on]), level.shown[on]))
    return sorted(found, key=lambda body: body[0].level.order)


def _pictures(
    studies: StudyCache, config: DetectorConfig, left_out: Collection[int]
) -> Iterator[tuple[str, TeachingPicture]]:
    for place, study in enumerate(studies):
        if study.label.part in _SHOWN and place not in left_out:
            source = TEACHES if study.label.part is None else JUDGES
            for at in _chosen(study, config.sources.slices):
                bodies = bodies_on(study.label, at)
                boxes = [box for _, box, _ in bodies]
                kinds = [kind_in(config.task, level, shown=shown) for level, _, shown in bodies]
                outlines = [ellipse_in(box) for box in boxes]
                horizon = horizon_of(study.label, boxes)
                for tile in tiles(study.pixels[at, :2], outlines, kinds, config.size, horizon):
                    yield source, tile


def _chosen(study: CachedStudy, slices: int) -> list[int]:
    """The same ones each time."""
    rng = np.random.default_rng(zlib.crc32(study.label.patient.encode()))
    return slices_near_middle(len(study.pixels), slices, rng)
