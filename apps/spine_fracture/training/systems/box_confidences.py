"""How surely the package's detector finds the boxes of a cohort.

It looks once for all trainings on one folder of a cohort, and so again in each fold of a cross-validation,
which has a folder of its own.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from spine_fracture.detection.confidence import Confidences, box_confidences, shipped_finder
from spine_fracture.training.cohorts.cache import ArrayCache, CacheWriter
from spine_fracture.training.cohorts.derived_cache import derived_cache
from spine_fracture.training.cohorts.study_cache import StudyCache


class CohortConfidences:
    """By a study's place in the cohort, the confidences of its levels' boxes as
    :func:`spine_fracture.detection.confidence.box_confidences` gives them; made when first asked for.

    Of pictures that the detector learnt from itself it is surer than of others.
    """

    def __init__(self, cohort: Path) -> None:
        digest = shipped_finder().manifest.digest[:12]
        cache = ArrayCache.open(derived_cache(cohort, f"confidences-{digest}", (), _write))
        self._labels = StudyCache(cohort / "studies").labels
        boxes = [sum(len(level.slices) for level in label.levels) for label in self._labels]
        self._starts = np.cumsum([0, *boxes])
        self._flat: npt.NDArray[np.float32] = cache["confidence"]

    def __getitem__(self, at: int) -> Confidences:
        of_study = iter(self._flat[self._starts[at] : self._starts[at + 1]].tolist())
        return tuple(tuple(next(of_study) for _ in level.slices) for level in self._labels[at].levels)


def _write(folder: Path, studies: StudyCache) -> None:
    finder = shipped_finder()
    with CacheWriter(folder) as writer:
        writer.append(confidence=np.zeros(0, np.float32))
        for study in studies:
            levels = [level.on_slices() for level in study.label.levels]
            found = box_confidences(finder, study.pair(), levels)
            writer.append(confidence=np.array([sure for level in found for sure in level], np.float32))
