"""The studies of a cohort as crops of levels, which networks that see one level at a time learn from."""

from __future__ import annotations

from pathlib import Path

from spine_fracture.anatomy import MODEL_CLASSES
from spine_fracture.classification.crops import middle
from spine_fracture.evaluation.answers import Part
from spine_fracture.imaging import PAIR
from spine_fracture.training.classifiers.cache import (
    SOURCES,
    STORED_MARGIN,
    STORED_SIZE,
    CropCache,
    CropCacheWriter,
    LabelledLevel,
    LabelledStudy,
    open_cache,
)
from spine_fracture.training.cohorts.derived_cache import derived_cache
from spine_fracture.training.cohorts.study_cache import CachedStudy, LevelLabel, StudyCache

#: Raised when what a cache holds changes, so that none of another form is taken for it.
_FORM = 1
#: What a cohort of any other making is, e.g. one of annotated pictures, whose source is their file.
_OTHERWISE = "read"
_SLICES = 5  # about the middle of a level, where the served classifier looks


def level_crop_cache(cohort: Path, margin: float) -> CropCache:
    """Crops of all levels of the patients who teach and, held out, of those who validate.

    Of each level at most five slices about the middle of those that show its finding. ``margin`` is the
    network's, about which a study's usual signal is taken. Made when it is asked for first.
    """
    depends = (_FORM, STORED_SIZE, STORED_MARGIN, _SLICES, margin)
    return open_cache(
        derived_cache(cohort, "level_crops", depends, lambda folder, studies: _write(folder, studies, margin))
    )


def _write(folder: Path, studies: StudyCache, margin: float) -> None:
    with CropCacheWriter(folder, margin) as writer:
        for at, label in enumerate(studies.labels):
            if label.part not in (None, Part.VALIDATION) or not label.has_any(PAIR):
                continue
            source = label.source if label.source in SOURCES else _OTHERWISE
            writer.add(_labelled(studies[at]), source, held_out=label.part is Part.VALIDATION)


def _labelled(study: CachedStudy) -> LabelledStudy:
    levels = tuple(_level(level) for level in study.label.levels if level.slices)
    return LabelledStudy(study.label.patient, study.pair(), levels)


def _level(level: LevelLabel) -> LabelledLevel:
    shown = level.shown_on_slices() or level.on_slices()
    return LabelledLevel(
        middle(shown, _SLICES), level.diagnosis if level.diagnosis in MODEL_CLASSES else None
    )
