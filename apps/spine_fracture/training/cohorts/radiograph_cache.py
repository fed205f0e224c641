"""Labelled radiographs on disk, AP and lateral of each patient, read memory-mapped.

Built on :mod:`spine_fracture.training.cohorts.cache`: one array ``pixels`` (patients, 2, rows, columns), the
description holds the labels.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.cohort.splits import Split
from spine_fracture.errors import InputError
from spine_fracture.evaluation.answers import Case, Part
from spine_fracture.radiography import Picture, View
from spine_fracture.training.cohorts.cache import ArrayCache, CacheWriter, share_arrays

#: Pictures of every patient, in this order.
VIEWS: tuple[View, ...] = (View.AP, View.LATERAL)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RadiographLevel(_Frozen):
    """A vertebra in one view: its ``box`` (x0, y0, x1, y1) in pixels, there is none in space. ``sign``:
    its finding is visible in this view.
    """

    level: Level
    diagnosis: Diagnosis
    box: tuple[float, float, float, float]
    sign: bool


class RadiographLabel(_Frozen):
    """A patient's radiographs without their pixels. ``levels`` of each of VIEWS, head to foot;
    ``diagnosis`` is the patient's, ``external`` marks a centre held out whole.
    """

    patient: str
    centre: str
    split: Split
    external: bool = False
    diagnosis: Diagnosis
    primary: str = ""
    age: float | None = None
    levels: tuple[tuple[RadiographLevel, ...], tuple[RadiographLevel, ...]]

    @property
    def part(self) -> Part | None:
        """What the patient is judged in; None where the patient teaches."""
        if self.external:
            return Part.EXTERNAL
        return {Split.TRAIN: None, Split.VALIDATION: Part.VALIDATION, Split.TEST: Part.TEST}[self.split]

    def sign(self, *views: View) -> bool:
        """Whether a finding is visible in any of these views."""
        return any(level.sign for view in views for level in self.levels[VIEWS.index(view)])

    def case(self, views: tuple[View, ...], probabilities: Iterable[float]) -> Case:
        """What was answered about the patient from these views; raises :class:`InputError` for one who
        teaches.
        """
        if self.part is None:
            raise InputError(
                f"Patient {self.patient} teaches, so no model may be judged on these radiographs."
            )
        return Case(
            part=self.part,
            patient=self.patient,
            level=None,
            truth=self.diagnosis,
            probabilities=tuple(float(share) for share in probabilities),
            centre=self.centre,
            sequences="+".join(views),
            age=self.age,
            note="sign" if self.sign(*views) else "no sign",
        )


class RadiographCacheWriter:
    """Writes a cache patient by patient; used as a context, which completes it on leaving."""

    def __init__(self, folder: Path, name: str) -> None:
        self._writer = CacheWriter(folder)
        self._name = name
        self._labels: list[RadiographLabel] = []

    def __enter__(self) -> Self:
        return self

    def add(self, label: RadiographLabel, pixels: Picture) -> None:
        """``pixels`` uint8 (2, rows, columns), views as in VIEWS, the same size for all patients."""
        self._writer.append(pixels=pixels[None])
        self._labels.append(label)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        labels: list[Any] = [label.model_dump(mode="json") for label in self._labels]
        self._writer.describe(name=self._name, patients=labels)
        self._writer.__exit__(kind, error, trace)


class RadiographCache:
    """What :class:`RadiographCacheWriter` stored: ``pixels`` uint8 (patients, 2, rows, columns), mapped,
    and their ``labels``. Safe to read from threads.
    """

    def __init__(self, folder: Path) -> None:
        self._cache = cache = ArrayCache.open(folder)
        try:
            patients: Any = cache.description["patients"]
            self.name = str(cache.description["name"])
            self.labels = tuple(RadiographLabel.model_validate(label) for label in patients)
            self.pixels: Picture = cache["pixels"]
        except (KeyError, TypeError, ValidationError) as error:
            raise InputError(f"{folder.name} is no cache of radiographs: make it again.") from error

    def __len__(self) -> int:
        return len(self.labels)

    def relabel(self, folder: Path, name: str, labels: Iterable[RadiographLabel]) -> None:
        """Write a cache of the same radiographs under other ``labels``, in their order; pixels are shared."""
        share_arrays(self._cache, folder, name=name, patients=[la.model_dump(mode="json") for la in labels])
