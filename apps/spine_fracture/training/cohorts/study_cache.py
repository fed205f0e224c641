"""Whole labelled studies on disk, decoded once and read memory-mapped: what every system trains on.

Built on :mod:`spine_fracture.training.cohorts.cache`. Studies differ in size, so their pixels lie end to end
in one flat array, and the description tells where each begins.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from spine_fracture.anatomy import Diagnosis, Feature, Level
from spine_fracture.classification.crops import BoxOnSlice
from spine_fracture.cohort.splits import Split
from spine_fracture.errors import InputError
from spine_fracture.evaluation.answers import Part
from spine_fracture.geometry import PixelBox
from spine_fracture.imaging import CHANNELS as CHANNELS
from spine_fracture.imaging import Sequence
from spine_fracture.training.cohorts.cache import ArrayCache, CacheWriter, share_arrays
from spine_fracture.training.cohorts.naming import CohortNaming, ContentDigest, refuse_other

Grey = npt.NDArray[np.uint8]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LevelLabel(_Frozen):
    """A level with what it is. ``slices`` and ``boxes`` (x0, y0, x1, y1, pixels) say where its body is seen,
    ``shown`` on which of these slices its finding is too (all of them for a normal level).
    """

    level: Level
    diagnosis: Diagnosis
    features: tuple[Feature, ...] = ()
    primary: str = ""
    slices: tuple[int, ...]
    boxes: tuple[tuple[float, float, float, float], ...]
    shown: tuple[bool, ...]

    def on_slices(self) -> tuple[BoxOnSlice, ...]:
        """Its boxes with the slices they are on."""
        return tuple((at, PixelBox(*box)) for at, box in zip(self.slices, self.boxes, strict=True))

    def shown_on_slices(self) -> tuple[BoxOnSlice, ...]:
        """Those on the slices that show its finding."""
        return tuple(box for box, shown in zip(self.on_slices(), self.shown, strict=True) if shown)


def _usual_start(source: str | None) -> Level | None:
    """The open real pictures, into which findings are simulated, are labelled from L1 down."""
    return Level.L1 if source == "simulated_in_real" else None


class StudyLabel(_Frozen):
    """A study without its pixels. ``index_level`` is the one vertebra that a study of one vertebra a
    patient (Yeh et al. 2022) is about; ``field_strength`` tesla; ``external`` marks a centre held out whole.
    Bodies above ``labelled_from`` are not labelled though they may be seen; None where all are. With
    ``only_regions`` bodies anywhere may be seen and not labelled.
    """

    patient: str
    centre: str
    split: Split
    external: bool = False
    source: str
    field_strength: float | None = None
    sex: str = ""
    age: float | None = None
    sequences: tuple[Sequence, ...]
    levels: tuple[LevelLabel, ...]
    index_level: Level | None = None
    labelled_from: Level | None = Field(default_factory=lambda known: _usual_start(known.get("source")))
    only_regions: bool = False

    @model_serializer(mode="wrap")
    def _without_what_follows(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Neither a start that follows from the source is written, nor that more than regions is labelled."""
        # A cohort's name has a digest of what is written of its studies. Cohorts were made, and answers and
        # bundles name them, before these fields were there: written always, they would make other cohorts.
        written: dict[str, Any] = serialise(self)
        if self.labelled_from is _usual_start(self.source):
            written.pop("labelled_from", None)
        if not self.only_regions:
            written.pop("only_regions", None)
        return written

    def has(self, sequences: Iterable[Sequence]) -> bool:
        """Whether all of these were acquired."""
        return set(sequences) <= set(self.sequences)

    def has_any(self, sequences: Iterable[Sequence]) -> bool:
        """Whether one of these was acquired."""
        return not set(sequences).isdisjoint(self.sequences)

    @property
    def part(self) -> Part | None:
        """What it is judged in; None where it teaches. Validation also says when to stop."""
        if self.external:
            return Part.EXTERNAL
        return {Split.TRAIN: None, Split.VALIDATION: Part.VALIDATION, Split.TEST: Part.TEST}[self.split]


@dataclass(frozen=True, eq=False)
class CachedStudy:
    """``pixels`` uint8 (slices, 4, rows, columns), channels as in CHANNELS, each series stretched to
    0..255 as :func:`spine_fracture.dicom.pairing.scaled` does; divide by 255 for what models read.
    """

    label: StudyLabel
    pixels: Grey

    def pair(self) -> npt.NDArray[np.float32]:
        """T1 and T2 (slices, 2, rows, columns) in [0, 1]: what the server gives a model."""
        return np.asarray(self.pixels[:, :2], np.float32) / np.float32(255)


class _Entry(_Frozen):
    label: StudyLabel
    shape: tuple[int, int, int, int]


class StudyCacheWriter:
    """Writes a cache study by study; used as a context, which completes it on leaving. Where the ``name`` is
    a naming, the cache is named for its content too.

    The same cohort may be written again; raises :class:`InputError` where the folder holds another.
    """

    def __init__(self, folder: Path, name: str | CohortNaming) -> None:
        _refuse_other(folder, name)
        self._writer = CacheWriter(folder)
        self._name = name
        self._digest = ContentDigest()
        self._entries: list[_Entry] = []

    @property
    def content(self) -> str:
        """sha256 (hex) of what was added."""
        return self._digest.hex

    def __enter__(self) -> Self:
        self._writer.append(pixels=np.zeros(0, np.uint8))
        return self

    def add(self, study: CachedStudy) -> None:
        slices, channels, rows, columns = study.pixels.shape
        if channels != len(CHANNELS):
            raise InputError(f"A cached study has {len(CHANNELS)} channels, got {study.pixels.shape}.")
        self._writer.append(pixels=study.pixels.reshape(-1))
        self._digest.add(study.label, study.pixels)
        self._entries.append(_Entry(label=study.label, shape=(slices, channels, rows, columns)))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        name = self._name if isinstance(self._name, str) else self._name.whole(self.content)
        self._writer.describe(name=name, studies=[entry.model_dump(mode="json") for entry in self._entries])
        self._writer.__exit__(kind, error, trace)


def _refuse_other(folder: Path, name: str | CohortNaming) -> None:
    """What is no whole cache may be written over."""
    try:
        found = StudyCache(folder)
    except InputError:
        return
    refuse_other(found.name, name if isinstance(name, str) else name.begins, folder)


def slice_name(patient: str, number: int, at: int) -> str:
    """What slice ``at`` of a patient's study is called in answers; ``number`` is 1 for the patient's first.

    That number is not said of first studies: answers were kept before patients had several.
    """
    return f"{patient}/{at}" if number == 1 else f"{patient}/{number}/{at}"


class StudyCache:
    """Random access to the studies that :class:`StudyCacheWriter` stored. Safe to read from threads."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise InputError(
                f"{folder.parent} has no {folder.name}: make them with `spine-fracture cohort simulate`, or "
                "from reads with `cohort cache`, or name a cohort that has them."
            )
        self._cache = cache = ArrayCache.open(folder)
        try:
            studies: Any = cache.description["studies"]
            entries = [_Entry.model_validate(entry) for entry in studies]
        except (KeyError, TypeError, ValidationError) as error:
            raise InputError(f"{folder.name} is no cache of studies: make it again.") from error
        self.name = str(cache.description["name"])
        self.labels: tuple[StudyLabel, ...] = tuple(entry.label for entry in entries)
        self._shapes = [entry.shape for entry in entries]
        self._starts = np.cumsum([0, *(math.prod(shape) for shape in self._shapes)])
        self._pixels: Grey = cache["pixels"]

    def __len__(self) -> int:
        return len(self.labels)

    def __iter__(self) -> Iterator[CachedStudy]:
        return (self[at] for at in range(len(self)))

    def __getitem__(self, at: int) -> CachedStudy:
        if not 0 <= at < len(self):
            raise IndexError(at)
        pixels = self._pixels[self._starts[at] : self._starts[at + 1]].reshape(self._shapes[at])
        return CachedStudy(self.labels[at], pixels)

    def of_patient(self, patient: str) -> tuple[int, ...]:
        """The places of a patient's studies, in order."""
        return tuple(at for at, label in enumerate(self.labels) if label.patient == patient)

    def number(self, at: int) -> int:
        """Which of its patient's studies this is, 1 for the first."""
        return 1 + self.of_patient(self.labels[at].patient).index(at)

    def slice_called(self, patient: str, name: str) -> Grey | None:
        """The pixels (4, rows, columns) of the slice that :func:`slice_name` calls so; None for a slice that
        is not here.
        """
        for number, place in enumerate(self.of_patient(patient), 1):
            for at in range(self._shapes[place][0]):
                if slice_name(patient, number, at) == name:
                    return np.asarray(self[place].pixels[at])
        return None

    def relabel(self, folder: Path, name: str, labels: Iterable[StudyLabel]) -> None:
        """Write a cache of the same studies under other ``labels``, in their order; pixels are shared."""
        entries = [
            _Entry(label=label, shape=shape) for label, shape in zip(labels, self._shapes, strict=True)
        ]
        share_arrays(self._cache, folder, name=name, studies=[e.model_dump(mode="json") for e in entries])
