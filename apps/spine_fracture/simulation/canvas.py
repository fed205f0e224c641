"""What lesions are put into: co-registered pictures of one patient with the vertebral bodies marked."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from spine_fracture.anatomy import Level
from spine_fracture.errors import InputError
from spine_fracture.imaging import Pixels, Sequence

Labels = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float64]
TYPICAL_DEPTH_MM = 34.0  # of a lumbar body, front to back


@dataclass(frozen=True, eq=False)
class LesionCanvas:
    """Pictures (slices, rows, columns) float32 by sequence on one grid, in any linear unit.

    ``labels`` uint8: 0, or 1 + Level.order in that level's body. ``mm`` (slice, row) spacing, or None
    for a picture of unknown spacing, which is then taken from the size of its vertebrae. A pair whose
    T1 and T2 disagree is to be shifted into agreement first.
    ``tissue``: the phantom's tissues, None for a real picture.
    """

    sequences: tuple[Sequence, ...]
    pictures: tuple[Pixels, ...]
    labels: Labels
    mm: tuple[float, float] | None = None
    tissue: Labels | None = None

    def __post_init__(self) -> None:
        if len(self.sequences) != len(self.pictures) or not self.pictures:
            raise InputError("A canvas needs one picture for each sequence, and at least one.")
        for picture in (*self.pictures, *(() if self.tissue is None else (self.tissue,))):
            if picture.shape != self.labels.shape or picture.ndim != 3:
                raise InputError(
                    f"Pictures, labels and tissue of a canvas need one shape (slices, rows, columns): "
                    f"expected {self.labels.shape}, got {picture.shape}."
                )

    @property
    def levels(self) -> tuple[Level, ...]:
        present = set(np.flatnonzero(np.bincount(self.labels.ravel(), minlength=1)).tolist())
        return tuple(level for level in Level if 1 + level.order in present)

    def picture(self, sequence: Sequence) -> Pixels:
        return self.pictures[self.sequences.index(sequence)]


@dataclass(frozen=True, eq=False)
class BodyFrame:
    """Where a body lies: ``centre`` (row, column) px, unit vectors ``down`` and ``back`` (row, column),
    ``height`` and ``depth`` px, middle slice and half width in slices, ``px_per_mm``.
    """

    level: Level
    centre: FloatArray
    down: FloatArray
    back: FloatArray
    height: float
    depth: float
    middle: float
    half_width: float
    px_per_mm: float

    def coordinates(
        self, shape: tuple[int, int, int], rows: slice
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """``u`` down and ``v`` back (rows, columns), 1 at the body's edges; ``w`` (slices,) likewise."""
        r, c = np.mgrid[rows.start : rows.stop, 0 : shape[2]].astype(np.float32)
        r += 0.5 - np.float32(self.centre[0])
        c += 0.5 - np.float32(self.centre[1])
        u = (r * self.down[0] + c * self.down[1]) / (self.height / 2)
        v = (r * self.back[0] + c * self.back[1]) / (self.depth / 2)
        w = (np.arange(shape[0]) - self.middle) / self.half_width
        return u.astype(np.float32), v.astype(np.float32), w.astype(np.float32)


def body_frame(labels: Labels, level: Level, mm: tuple[float, float] | None) -> BodyFrame:
    """Frame of one body from its mask; the direction of the column settles which side is up."""
    value = 1 + level.order
    slices = np.flatnonzero((labels == value).any(axis=(1, 2)))
    if slices.size == 0:
        raise InputError(f"{level} is not marked in this picture: there is nothing to put a finding into.")
    middle = (slices[0] + slices[-1]) / 2
    plane = labels[round(middle)]
    mask = plane == value
    if not mask.any():
        plane = labels[int(slices[0])]
        mask = plane == value
    points = np.argwhere(mask).astype(np.float32) + 0.5
    centre, size, angle = cv2.minAreaRect(points)
    turn = np.deg2rad(angle)
    first = np.array([np.cos(turn), np.sin(turn)])
    second = np.array([-first[1], first[0]])
    column = _column_direction(plane, level)
    upright = abs(first @ column) >= abs(second @ column)
    down, height, depth = (first, size[0], size[1]) if upright else (second, size[1], size[0])
    down = down if down @ column >= 0 else -down
    back = np.array([-down[1], down[0]])
    px_per_mm = 1 / mm[1] if mm else max(depth, 1.25 * height) / TYPICAL_DEPTH_MM
    half_width = max((slices[-1] - slices[0] + 1) / 2, 1.0)
    return BodyFrame(
        level,
        np.asarray(centre, dtype=np.float64),
        down,
        back,
        max(float(height), 2.0),
        max(float(depth), 2.0),
        float(middle),
        float(half_width),
        float(px_per_mm),
    )


def _column_direction(plane: Labels, level: Level) -> FloatArray:
    """Unit (row, column) vector from the body above to the body below, or straight down."""
    found = []
    for order in (level.order, level.order - 1, level.order + 1, level.order - 2, level.order + 2):
        points = np.argwhere(plane == 1 + order) if order >= 0 else np.empty((0, 2))
        if len(points):
            found.append((order, points.mean(axis=0)))
    found.sort(key=lambda item: item[0])
    if len(found) < 2:
        return np.array([1.0, 0.0])
    chord = found[-1][1] - found[0][1]
    return np.asarray(chord / np.linalg.norm(chord))
