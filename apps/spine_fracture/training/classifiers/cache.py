"""Crops of labelled levels on disk, written once and read memory-mapped (training/cohorts/cache.py).

``crops`` (samples, 6, 96, 96) are grey levels cut a good deal wider than the network's own square, so
that training can move and turn them; ``samples`` has one row each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis
from spine_fracture.classification.crops import (
    CHANNELS,
    BoxOnSlice,
    level_crops,
    middle,
    signal_reference,
)
from spine_fracture.imaging import Pixels
from spine_fracture.training.cohorts.cache import ArrayCache, CacheWriter

STORED_SIZE = 96
STORED_MARGIN = 2.0
#: Where a sample comes from; every source has the same prevalence of classes in training.
SOURCES = ("simulated_in_real", "phantom", "read")

#: Columns of ``samples``: index in MODEL_CLASSES, index in SOURCES, whether it is of a validation patient
#: (chooses, never teaches), a number that all samples of one level of one study share, index of the patient.
COLUMNS = ("label", "source", "held_out", "level", "patient")


@dataclass(frozen=True, eq=False)
class LabelledLevel:
    """A level's boxes on slices, and its class; None for one that is there but must not teach."""

    boxes: tuple[BoxOnSlice, ...]
    diagnosis: Diagnosis | None


@dataclass(frozen=True, eq=False)
class LabelledStudy:
    """A study to learn from. ``pixels`` (slices, 2, rows, columns) in [0, 1], T1 and T2.

    ``patient`` is the picture hash of :mod:`spine_fracture.evaluation.seen`.
    """

    patient: str
    pixels: Pixels
    levels: tuple[LabelledLevel, ...]


@dataclass(frozen=True, eq=False)
class CropCache:
    """``crops`` (n, 6, 96, 96) uint8; ``samples`` (n, 5) int32, see COLUMNS; ``references`` (n, 2, 2)
    float32, of T1 and T2 the centre and spread of their study's signal; ``patients`` the hashes.
    """

    crops: npt.NDArray[np.uint8]
    samples: npt.NDArray[np.int32]
    references: npt.NDArray[np.float32]
    patients: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.samples)

    def column(self, name: str) -> npt.NDArray[np.int64]:
        """One of COLUMNS, for every sample."""
        return self.samples[:, COLUMNS.index(name)].astype(np.int64)

    def where(self, *, held_out: bool) -> npt.NDArray[np.intp]:
        """Indices of the samples that choose (``held_out``) or of those that teach."""
        return np.flatnonzero(self.column("held_out") == held_out)


class CropCacheWriter:
    """Writes a cache study by study; used as a context, which completes it on leaving."""

    def __init__(self, folder: Path, margin: float) -> None:
        self._writer = CacheWriter(folder)
        self._margin = margin
        self._patients: dict[str, int] = {}
        self._levels = 0

    def __enter__(self) -> Self:
        self._append(
            np.zeros((0, CHANNELS, STORED_SIZE, STORED_SIZE), np.uint8),
            np.zeros((0, len(COLUMNS)), np.int32),
            np.zeros((0, 2, 2), np.float32),
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.describe(patients=list(self._patients))
        self._writer.__exit__(kind, error, trace)

    def add(self, study: LabelledStudy, source: str, *, held_out: bool) -> None:
        """Add every labelled level of a study; the others only count towards its usual signal."""
        if not any(level.diagnosis in MODEL_CLASSES for level in study.levels):
            return
        keys = [middle(level.boxes, 1)[0] for level in study.levels]
        usual = signal_reference(level_crops(study.pixels, keys, STORED_SIZE, self._margin), self._margin)
        reference = np.stack([usual.centre, usual.spread], axis=1)
        patient = self._patients.setdefault(study.patient, len(self._patients))
        for level in study.levels:
            self._levels += 1
            if level.diagnosis not in MODEL_CLASSES:
                continue
            crops = level_crops(study.pixels, level.boxes, STORED_SIZE, STORED_MARGIN)
            label = MODEL_CLASSES.index(level.diagnosis)
            row = (label, SOURCES.index(source), held_out, self._levels, patient)
            self._append(
                np.rint(np.clip(crops, 0, 1) * 255).astype(np.uint8),
                np.array([row] * len(crops), np.int32),
                np.repeat(reference[None], len(crops), axis=0),
            )

    def _append(
        self, crops: npt.NDArray[Any], samples: npt.NDArray[Any], references: npt.NDArray[Any]
    ) -> None:
        self._writer.append(crops=crops, samples=samples, references=references)


def open_cache(folder: Path) -> CropCache:
    """Open a complete cache; raises :class:`InputError` on any other folder."""
    cache = ArrayCache.open(folder)
    patients = cache.description["patients"]
    assert isinstance(patients, list)
    return CropCache(
        cache["crops"], np.array(cache["samples"]), np.array(cache["references"]), tuple(map(str, patients))
    )


def joined(caches: Sequence[CropCache]) -> CropCache:
    """Several caches as one in memory: for small ones, such as reads and their replay."""
    patients = tuple(dict.fromkeys(name for cache in caches for name in cache.patients))
    rows = []
    levels = 0
    for cache in caches:
        moved = cache.samples.copy()
        places = np.array([patients.index(name) for name in cache.patients], dtype=np.int32)
        if len(moved):
            moved[:, COLUMNS.index("patient")] = places[moved[:, COLUMNS.index("patient")]]
            moved[:, COLUMNS.index("level")] += levels
            levels = int(moved[:, COLUMNS.index("level")].max()) + 1
        rows.append(moved)
    return CropCache(
        np.concatenate([cache.crops for cache in caches]),
        np.concatenate(rows),
        np.concatenate([cache.references for cache in caches]),
        patients,
    )
