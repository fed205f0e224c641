"""Crops of all levels of all studies on disk, cut once a cohort: what the whole-study network learns from.

Crops are 96 pixels wide and show twice the box, a good deal more than the network's square, so that training
can move and turn them. Rows follow study by study, head to foot, and slice by slice.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spine_fracture.anatomy import MODEL_CLASSES
from spine_fracture.classification.crops import slice_crops
from spine_fracture.classification.whole_study_crops import head_to_foot, in_slice_order, study_reference
from spine_fracture.errors import InputError
from spine_fracture.evaluation.answers import Part
from spine_fracture.training.classifiers.cache import STORED_MARGIN, STORED_SIZE
from spine_fracture.training.cohorts.cache import ArrayCache, CacheWriter
from spine_fracture.training.cohorts.derived_cache import derived_cache
from spine_fracture.training.cohorts.study_cache import CachedStudy, StudyCache

#: Raised when what a cache holds changes, so that none of another form is taken for it.
_FORM = 1
#: Of a level that is seen but does not teach, as its class is none of MODEL_CLASSES.
UNTAUGHT = -1


@dataclass(frozen=True, eq=False)
class StudyRows:
    """One study, without its crops: ``start`` is the row of the first among all crops, ``slices`` (levels,)
    how many each level has, ``labels`` (levels,) the index in MODEL_CLASSES or UNTAUGHT, ``reference`` (4, 2)
    centre and spread of each sequence, of which ``present`` (4,) were acquired.
    """

    start: int
    slices: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    reference: npt.NDArray[np.float32]
    present: npt.NDArray[np.bool_]


class WholeStudyCache:
    """Random access to the studies that teach and to those that validate. Safe to read from threads.

    ``patients`` are those of the studies, in order; ``teaching`` and ``validating`` the places of studies.
    """

    def __init__(self, folder: Path) -> None:
        cache = ArrayCache.open(folder)
        self._crops = cache["crops"]
        self._slices = np.array(cache["slices"])
        self._labels = np.array(cache["labels"])
        self._references = np.array(cache["references"])
        self._present = np.array(cache["present"])
        held_out, levels = np.array(cache["held_out"]), np.array(cache["levels"])
        self._level_starts = np.cumsum([0, *levels])
        self._crop_starts = np.cumsum([0, *self._slices])[self._level_starts]
        patients = cache.description["patients"]
        assert isinstance(patients, list)
        self.patients = tuple(map(str, patients))
        self.teaching = np.flatnonzero(~held_out)
        self.validating = np.flatnonzero(held_out)

    def __getitem__(self, at: int) -> StudyRows:
        levels = slice(self._level_starts[at], self._level_starts[at + 1])
        return StudyRows(
            int(self._crop_starts[at]),
            self._slices[levels],
            self._labels[levels],
            self._references[at],
            self._present[at],
        )

    def crops(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """A copy of these crops, (rows, 4, 96, 96)."""
        return np.take(self._crops, rows, axis=0)


def whole_study_cache(cohort: Path, margin: float) -> WholeStudyCache:
    """The cache of this cohort's folder, made first where there is none that fits.

    ``margin`` is the network's, about which a study's usual signal is taken.
    """
    depends = (_FORM, STORED_SIZE, STORED_MARGIN, margin)
    return WholeStudyCache(
        derived_cache(cohort, "whole_study", depends, lambda folder, studies: _write(folder, studies, margin))
    )


def _write(folder: Path, studies: StudyCache, margin: float) -> None:
    patients = []
    with CacheWriter(folder) as writer:
        for at, label in enumerate(studies.labels):
            if label.part not in (None, Part.VALIDATION) or not label.levels:
                continue
            _append(writer, studies[at], margin)
            patients.append(label.patient)
        writer.describe(patients=list(patients))
    if not patients:
        raise InputError(f"Nobody in cohort {studies.name} teaches: add patients of the training split.")


def _append(writer: CacheWriter, study: CachedStudy, margin: float) -> None:
    boxes = [level.on_slices() for level in study.label.levels]
    order = head_to_foot(boxes)
    ordered = [in_slice_order(boxes[at]) for at in order]
    pixels = study.pixels.astype(np.float32) / np.float32(255)
    usual = study_reference(pixels, ordered, margin)
    crops = slice_crops(pixels, [box for level in ordered for box in level], STORED_SIZE, STORED_MARGIN)
    diagnoses = [study.label.levels[at].diagnosis for at in order]
    labels = [MODEL_CLASSES.index(d) if d in MODEL_CLASSES else UNTAUGHT for d in diagnoses]
    writer.append(
        crops=np.rint(np.clip(crops[:, 0], 0, 1) * 255).astype(np.uint8),
        slices=np.array([len(level) for level in ordered], np.int64),
        labels=np.array(labels, np.int64),
        references=np.stack([usual.centre, usual.spread], axis=1)[None],
        present=pixels.any(axis=(0, 2, 3))[None],
        levels=np.array([len(ordered)], np.int64),
        held_out=np.array([study.label.part is Part.VALIDATION]),
    )
