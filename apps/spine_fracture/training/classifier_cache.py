"""Crops of labelled levels on disk: written once, read memory-mapped.

A cache is a folder with ``crops.u8`` (samples, 6, 96, 96), grey levels cut a good deal wider than
the network's own square so that training can move and turn them; ``samples.npy`` with one row a
sample; and ``cache.json``, written last, with the patients.
"""

from __future__ import annotations

import json
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
from spine_fracture.errors import InputError
from spine_fracture.files import write_atomically
from spine_fracture.imaging import Pixels

STORED_SIZE = 96
STORED_MARGIN = 2.0
#: Where a sample comes from; every source has the same prevalence of classes in training.
SOURCES = ("simulated_in_real", "phantom", "read")

_SAMPLE = np.dtype(
    [
        ("label", "u1"),  # index in MODEL_CLASSES
        ("source", "u1"),  # index in SOURCES
        ("held_out", "?"),  # of a validation patient: chooses, never teaches
        ("level", "<i4"),  # samples of one level of one study share it
        ("patient", "<i4"),  # index in the list of patients
        ("centre", "<f4", (2,)),  # SignalReference of the study
        ("spread", "<f4", (2,)),
    ]
)


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
    """``crops`` (samples, 6, 96, 96) uint8, ``samples`` one row each, ``patients`` their hashes."""

    crops: npt.NDArray[np.uint8]
    samples: npt.NDArray[np.void]
    patients: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.samples)

    def where(self, *, held_out: bool) -> npt.NDArray[np.intp]:
        """Indices of the samples that choose (``held_out``) or of those that teach."""
        return np.flatnonzero(self.samples["held_out"] == held_out)

    def references(self, index: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Shape (n, 2, 2): T1 and T2, centre and spread of each, in [0, 1] units."""
        rows = self.samples[np.asarray(index)]
        return np.stack([rows["centre"], rows["spread"]], axis=2)


class CropCacheWriter:
    """Writes a cache study by study; used as a context, which completes it on leaving."""

    def __init__(self, folder: Path, margin: float) -> None:
        self._folder = folder
        self._margin = margin
        self._rows: list[tuple[Any, ...]] = []
        self._patients: dict[str, int] = {}
        self._levels = 0

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "cache.json").unlink(missing_ok=True)
        self._stream = (self._folder / "crops.u8").open("wb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()
        if kind is None:
            np.save(self._folder / "samples.npy", np.array(self._rows, dtype=_SAMPLE))
            header = {"margin": self._margin, "patients": list(self._patients)}
            write_atomically(self._folder / "cache.json", json.dumps(header).encode())

    def add(self, study: LabelledStudy, source: str, *, held_out: bool) -> None:
        """Add every labelled level of a study; the others only count towards its usual signal."""
        if not study.levels:
            return
        keys = [middle(level.boxes, 1)[0] for level in study.levels]
        reference = signal_reference(level_crops(study.pixels, keys, STORED_SIZE, self._margin), self._margin)
        patient = self._patients.setdefault(study.patient, len(self._patients))
        for level in study.levels:
            self._levels += 1
            if level.diagnosis not in MODEL_CLASSES:
                continue
            crops = level_crops(study.pixels, level.boxes, STORED_SIZE, STORED_MARGIN)
            self._stream.write(np.rint(np.clip(crops, 0, 1) * 255).astype(np.uint8).tobytes())
            label = MODEL_CLASSES.index(level.diagnosis)
            row = (label, SOURCES.index(source), held_out, self._levels, patient)
            self._rows += [(*row, reference.centre, reference.spread)] * len(crops)


def open_cache(folder: Path) -> CropCache:
    """Open a complete cache memory-mapped; raises :class:`InputError` on any other folder."""
    try:
        header = json.loads((folder / "cache.json").read_bytes())
        samples = np.load(folder / "samples.npy", allow_pickle=False)
        shape = (len(samples), CHANNELS, STORED_SIZE, STORED_SIZE)
        crops: npt.NDArray[np.uint8] = (
            np.memmap(folder / "crops.u8", np.uint8, "r", shape=shape)
            if len(samples)
            else np.zeros(shape, np.uint8)
        )
        return CropCache(crops, samples, tuple(header["patients"]))
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{folder} is not a complete crop cache: export it again ({error}).") from error


def joined(caches: Sequence[CropCache]) -> CropCache:
    """Several caches as one in memory: for small ones, such as reads and their replay."""
    patients = tuple(dict.fromkeys(name for cache in caches for name in cache.patients))
    parts = []
    first_level = 0
    for cache in caches:
        rows = cache.samples.copy()
        moved = np.array([patients.index(name) for name in cache.patients], dtype=np.int32)
        if len(rows):
            rows["patient"] = moved[rows["patient"]]
            rows["level"] += first_level
            first_level = int(rows["level"].max()) + 1
        parts.append(rows)
    return CropCache(np.concatenate([c.crops for c in caches]), np.concatenate(parts), patients)
