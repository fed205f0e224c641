"""A cohort's folder, opened once: what its caches are called, and who teaches in each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from spine_fracture.errors import InputError
from spine_fracture.evaluation.answers import Part
from spine_fracture.training.cohorts.radiograph_cache import RadiographCache
from spine_fracture.training.cohorts.radiograph_cohort import RADIOGRAPHS
from spine_fracture.training.cohorts.study_cache import StudyCache


@dataclass(frozen=True)
class CohortFolder:
    """``teaching`` has the keys of the patients who teach, by the full name of the cache of studies or of
    radiographs that says so. Answers tell that name. ``validates``: whether any patient is for validation.
    """

    path: Path
    teaching: Mapping[str, frozenset[str]]
    validates: bool

    @classmethod
    def open(cls, path: Path) -> Self:
        """Raises :class:`InputError` for a folder that is no cohort's."""
        caches = caches_in(path)
        return cls(
            path,
            {
                cache.name: frozenset(label.patient for label in cache.labels if label.part is None)
                for cache in caches
            },
            any(label.part is Part.VALIDATION for cache in caches for label in cache.labels),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """What answers to its studies and radiographs call it."""
        return tuple(self.teaching)


def caches_in(path: Path) -> tuple[StudyCache | RadiographCache, ...]:
    """What says who the patients of a cohort are: the studies, the radiographs or both.

    Raises :class:`InputError` for a folder that is no cohort's.
    """
    caches: list[StudyCache | RadiographCache] = []
    if (path / "studies").is_dir():
        caches.append(StudyCache(path / "studies"))
    if (path / RADIOGRAPHS).is_dir():
        caches.append(RadiographCache(path / RADIOGRAPHS))
    if not caches:
        raise InputError(f"{path} is no cohort: make one with `spine-fracture cohort simulate`.")
    return tuple(caches)
