"""A cohort of patients who were examined more than once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spine_fracture.anatomy import Diagnosis, Feature, Level
from spine_fracture.cohort.splits import Split
from spine_fracture.imaging import Sequence as MrSequence
from spine_fracture.training.cohorts.study_cache import CachedStudy, LevelLabel, StudyCacheWriter, StudyLabel

BOX = (10.0, 10.0, 30.0, 30.0)


def exam(
    patient: str,
    l1: Diagnosis,
    *,
    seed: int = 0,
    age: float = 60,
    slices: int = 1,
    features: tuple[Feature, ...] = (),
    split: Split = Split.TEST,
) -> CachedStudy:
    """A study whose index vertebra L1 is ``l1`` and has the ``features``; pixels are drawn from ``seed``."""
    shown = tuple(range(slices))
    level = LevelLabel(
        level=Level.L1, diagnosis=l1, features=features, slices=shown, boxes=(BOX,) * slices,
        shown=(True,) * slices,
    )  # fmt: skip
    label = StudyLabel(
        patient=patient, centre="A", split=split, source="read", age=age,
        sequences=(MrSequence.T1, MrSequence.T2), levels=(level,), index_level=Level.L1,
    )  # fmt: skip
    pixels = np.random.default_rng(seed).integers(1, 255, (slices, 4, 40, 40)).astype(np.uint8)
    return CachedStudy(label, pixels)


def write_cohort(folder: Path, studies: Sequence[CachedStudy], name: str = "reads") -> Path:
    with StudyCacheWriter(folder / "studies", name) as writer:
        for study in studies:
            writer.add(study)
    return folder
