"""A made-up set laid out like the open lumbar one, and a made-up cohort."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.cohort.splits import Split
from spine_fracture.imaging import Sequence
from spine_fracture.training.cohorts.study_cache import CachedStudy, LevelLabel, StudyCacheWriter, StudyLabel

NAMES = ("L1", "L2", "L3", "L4", "L5", "S1")


@pytest.fixture(scope="session")
def lumbar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up set laid out like the real one; the first patient has a noted fracture."""
    folder = tmp_path_factory.mktemp("lumbar")
    rng = np.random.default_rng(0)
    entries = []
    for number in range(24):
        polygons = []
        pictures = rng.normal(60, 4, (2, 160, 120))
        for at in range(6):
            top = 8 + 25 * at
            polygons.append([[45, top], [72, top], [72, top + 18], [45, top + 18]])
            pictures[:, top : top + 18, 45:72] += 60
        for sequence, picture in zip(("T1", "T2"), pictures, strict=True):
            Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(
                folder / f"{number:04d}_{sequence}.png"
            )
        vertebrae = [
            {"level": n, "polygon": p, "box": [45, p[0][1], 72, p[2][1]]}
            for n, p in zip(NAMES, polygons, strict=True)
        ]
        entry = {
            "patient": f"{number:04d}",
            "vertebrae": vertebrae,
            "t1_t2_shift_px": [0, 3] if number == 1 else None,
        }
        entry |= {s: {"file": f"{number:04d}_{s}.png"} for s in ("T1", "T2")}
        entry["finding_from_note"] = ["fracture", "L2", "old"] if number == 0 else None
        entries.append(entry)
    (folder / "manifest.json").write_text(json.dumps(entries))
    return folder


SMALL_LEVELS = (Level.L1, Level.L2, Level.L3, Level.L4)


@pytest.fixture(scope="session")
def small_cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cohort's folder of 30 made-up patients of three centres, C being external, four levels each: L2 has
    a fracture, dark in T1 where it is malignant (every second patient), and L4 a hemangioma, bright in both.
    """
    folder = tmp_path_factory.mktemp("cohort")
    rng = np.random.default_rng(0)
    splits = (*(Split.TRAIN,) * 16, *(Split.VALIDATION,) * 5, *(Split.TEST,) * 9)
    with StudyCacheWriter(folder / "studies", "small") as writer:
        for number, split in enumerate(splits):
            malignant = number % 2 == 1
            pixels = rng.normal(60, 3, (4, 4, 140, 64))
            pixels[:, 2:] = 0
            levels = []
            for at, level in enumerate(SMALL_LEVELS):
                box = (16.0, 6.0 + 34 * at, 46.0, 28.0 + 34 * at)
                rows, columns = slice(int(box[1]), int(box[3])), slice(16, 46)
                pixels[:, :2, rows, columns] += 80
                diagnosis = Diagnosis.NORMAL
                if level is Level.L2:
                    diagnosis = Diagnosis.MALIGNANT if malignant else Diagnosis.BENIGN_FRACTURE
                    pixels[:, 0, rows, columns] -= 60 if malignant else 15 * np.linspace(0, 1, 30)
                if level is Level.L4:
                    diagnosis = Diagnosis.HEMANGIOMA
                    pixels[:, :2, rows, columns] += 60
                whole = diagnosis is Diagnosis.NORMAL
                levels.append(
                    LevelLabel(
                        level=level, diagnosis=diagnosis, slices=(0, 1, 2, 3), boxes=(box,) * 4,
                        shown=(whole, True, True, whole), primary="lung" if diagnosis == "malignant" else "",
                    )
                )  # fmt: skip
            label = StudyLabel(
                patient=f"patient-{number:02d}", centre="ABC"[number % 3], split=split,
                external=number % 3 == 2, source="phantom", field_strength=1.5, sex="F", age=60,
                sequences=(Sequence.T1, Sequence.T2), levels=tuple(levels), index_level=Level.L2,
            )  # fmt: skip
            writer.add(CachedStudy(label, pixels.clip(0, 255).astype(np.uint8)))
    return folder
