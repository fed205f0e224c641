"""How bright the pictures of a cohort are, case by case: all that the baselines know of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spine_fracture.anatomy import Diagnosis
from spine_fracture.evaluation.answers import Case
from spine_fracture.training.cohorts.cases import study_cases
from spine_fracture.training.cohorts.radiograph_cache import VIEWS, RadiographCache, RadiographLabel
from spine_fracture.training.cohorts.radiograph_cohort import RADIOGRAPHS
from spine_fracture.training.cohorts.study_cache import CachedStudy, LevelLabel, StudyCache

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Example:
    """A level of an MRI, or a patient's radiographs. ``means`` (2,) in [0, 1]: of T1 and T2, or of AP and
    lateral. ``cases`` turns probabilities into what was answered.
    """

    patient: str
    diagnosis: Diagnosis
    means: FloatArray
    cases: Callable[[FloatArray], tuple[Case, ...]]


def examples(
    cohort: Path, question: str, classes: tuple[Diagnosis, ...], *, teaching: bool
) -> tuple[Example, ...]:
    """Everything of these classes, of patients who teach or of all others."""
    found = _of_radiographs if _has_radiographs_alone(cohort) else partial(_of_studies, question=question)
    return tuple(example for example in found(cohort, teaching=teaching) if example.diagnosis in classes)


def cohort_name(cohort: Path) -> str:
    """What the cohort that is answered calls itself."""
    if _has_radiographs_alone(cohort):
        return RadiographCache(cohort / RADIOGRAPHS).name
    return StudyCache(cohort / "studies").name


def mean_intensity(study: CachedStudy, level: LevelLabel) -> FloatArray:
    """Mean of T1 and of T2 over the level's boxes on all its slices: (2,), in [0, 1]."""
    rows, columns = study.pixels.shape[2:]
    total, pixels = np.zeros(2), 0
    for at, box in level.on_slices():
        x0, y0, x1, y1 = (round(edge) for edge in box.inside(rows, columns).as_tuple())
        patch = study.pixels[at, :2, y0:y1, x0:x1]
        total += patch.sum(axis=(1, 2), dtype=np.float64)
        pixels += patch[0].size
    return total / max(pixels, 1) / 255


def _has_radiographs_alone(cohort: Path) -> bool:
    return not (cohort / "studies").is_dir() and (cohort / RADIOGRAPHS).is_dir()


def _of_studies(cohort: Path, question: str, *, teaching: bool) -> Iterator[Example]:
    for study in StudyCache(cohort / "studies"):
        if (study.label.part is None) == teaching:
            for level in study.label.levels:
                yield Example(
                    study.label.patient,
                    level.diagnosis,
                    mean_intensity(study, level),
                    partial(_cases, study, level, question),
                )


def _cases(study: CachedStudy, level: LevelLabel, question: str, row: FloatArray) -> tuple[Case, ...]:
    return tuple(study_cases(study.label, [(level, row)], question))


def _of_radiographs(cohort: Path, *, teaching: bool) -> Iterator[Example]:
    cache = RadiographCache(cohort / RADIOGRAPHS)
    for label, views in zip(cache.labels, cache.pixels, strict=True):
        if (label.part is None) == teaching:
            means = views.mean(axis=(1, 2), dtype=np.float64) / 255
            yield Example(label.patient, label.diagnosis, means, partial(_patient, label))


def _patient(label: RadiographLabel, row: FloatArray) -> tuple[Case, ...]:
    return (label.case(VIEWS, row),)
