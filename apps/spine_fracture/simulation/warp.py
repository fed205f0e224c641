"""Smooth displacement of pictures: collapse, bulging walls, and the null warp.

All findings of a canvas are composed into one map from output to input positions, and every picture
is interpolated once, through that one map. The map always starts from a random sub-pixel null warp,
so that a level without any finding has gone through the same interpolation as its altered neighbour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from spine_fracture.anatomy import Feature
from spine_fracture.simulation.canvas import BodyFrame
from spine_fracture.simulation.findings import Finding, Variant
from spine_fracture.simulation.textures import smooth_noise

FloatField = npt.NDArray[np.float32]
S = TypeVar("S", bound=np.generic)
NULL_SHIFT = 0.5  # px, largest shift of the whole picture
NULL_WOBBLE = 0.15  # px, deviation of the local part
REACH = 3.3  # body heights above and below over which a collapse fades out


@dataclass(eq=False)
class Warp:
    """Where each output voxel comes from: input ``rows`` and ``columns`` (slices, rows, columns), in
    array indices. Built up in place by :func:`collapse`, then applied once.
    """

    rows: FloatField
    columns: FloatField

    @property
    def shape(self) -> tuple[int, int, int]:
        slices, rows, columns = self.rows.shape
        return (slices, rows, columns)

    def apply(self, volume: FloatField) -> FloatField:
        """The volume seen through the map, cubic, kept at or above zero."""
        return np.asarray(self._remap(volume, cv2.INTER_CUBIC).clip(min=0), dtype=np.float32)

    def apply_labels(self, labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Labels seen through the map, nearest neighbour."""
        return self._remap(labels, cv2.INTER_NEAREST)

    def _remap(self, volume: npt.NDArray[S], interpolation: int) -> npt.NDArray[S]:
        out = np.empty(self.shape, dtype=volume.dtype)
        for k in range(self.shape[0]):
            out[k] = cv2.remap(
                volume[k], self.columns[k], self.rows[k], interpolation, borderMode=cv2.BORDER_REPLICATE
            )
        return out


def null_warp(shape: tuple[int, int, int], rng: np.random.Generator) -> Warp:
    """A random sub-pixel shift and wobble of zero mean: nothing a reader could see."""
    slices, rows, columns = shape
    grid = np.mgrid[0:rows, 0:columns].astype(np.float32)
    for axis in grid:
        wobble = smooth_noise((1, rows, columns), (1, 24, 24), rng)[0]
        axis += NULL_WOBBLE * (wobble - wobble.mean()) + np.float32(rng.uniform(-NULL_SHIFT, NULL_SHIFT))
    repeated = (np.repeat(axis[None], slices, axis=0) for axis in grid)
    return Warp(*repeated)


def collapse(warp: Warp, frame: BodyFrame, finding: Finding, rng: np.random.Generator) -> None:
    """Add one finding's loss of height and bulging border to the map, in place."""
    shape = warp.shape
    reach = (REACH + 1) * frame.height
    rows = slice(max(0, int(frame.centre[0] - reach)), min(shape[0 + 1], int(frame.centre[0] + reach) + 1))
    u, v, w = frame.coordinates(shape, rows)
    upper = float(rng.uniform(0.55, 0.85))
    slow, concave = _loss(finding, v, rng)
    bulge = _bulge(finding, frame, u, v, rng)
    lines, columns = (np.mgrid[rows, 0 : shape[2]]).astype(np.float32)
    for k in np.flatnonzero(np.abs(w) < 1.9):
        taper = np.float32(np.clip((1.9 - abs(w[k])) / 0.85, 0, 1))
        dip = np.float32(max(0.0, 1 - (0.85 * w[k]) ** 2) * taper)
        down = _down(u, slow * taper, concave * dip, upper, frame.height)
        along = [lines + down * frame.down[0] + bulge * taper * frame.back[0] - rows.start,
                 columns + down * frame.down[1] + bulge * taper * frame.back[1]]  # fmt: skip
        at = (along[1].astype(np.float32), along[0].astype(np.float32))
        for axis in (warp.rows, warp.columns):
            axis[k, rows] = cv2.remap(axis[k, rows], *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _loss(finding: Finding, v: FloatField, rng: np.random.Generator) -> tuple[FloatField, FloatField]:
    """Share of height lost at each ``v``: the part the column follows, and the concave part."""
    features, severity = finding.features, finding.severity
    slow = np.zeros_like(v)
    if Feature.WHOLE_BODY_COMPRESSION in features:
        slow += severity * np.interp(v, [-4, -1.2, 1.1, 2.4], [0.3, 1, 1, 0.1])
    if Feature.ANTERIOR_WEDGE in features or finding.variant is Variant.MILD_WEDGE:
        slow += severity * np.interp(v, [-4, -1, 1], [0.4, 1, 0])
    both = {Feature.WHOLE_BODY_COMPRESSION, Feature.ANTERIOR_WEDGE} <= features
    slow = np.minimum(slow * (0.6 if both else 1.0), 0.66)
    concave = np.zeros_like(v)
    if Feature.CENTRAL_CONCAVE in features:
        middle = rng.uniform(-0.15, 0.15)
        concave = min(severity, 0.5) * np.clip(1 - ((v - middle) / 1.0) ** 2, 0, 1) * (1 - slow)
    return slow.astype(np.float32), concave.astype(np.float32)


def _down(u: FloatField, slow: FloatField, concave: FloatField, upper: float, height: float) -> FloatField:
    """Displacement along ``down`` in px that shrinks the body and hands the gap to its neighbours."""
    share = 0.5 + 0.6 * (upper - 0.5)
    top_slow, top_fast = upper * slow, share * concave
    low_slow, low_fast = (1 - upper) * slow, (1 - share) * concave
    a = u / 2  # in body heights, -0.5 .. 0.5 in the body
    top, low = -0.5 + top_slow + top_fast, 0.5 - low_slow - low_fast
    inside = -0.5 + (a - top) / np.maximum(low - top, 0.1) - a
    above, below = np.maximum(top - a, 0), np.maximum(a - low, 0)
    over = -(top_slow * _fade_slow(above) + top_fast * _fade_fast(above))
    under = low_slow * _fade_slow(below) + low_fast * _fade_fast(below)
    shift = np.where(a < top, over, np.where(a > low, under, inside))
    return np.asarray(shift * height, dtype=np.float32)


def _fade_slow(distance: FloatField) -> FloatField:
    return np.interp(distance, [0, 0.35, REACH], [1, 0.74, 0]).astype(np.float32)


def _fade_fast(distance: FloatField) -> FloatField:
    return np.interp(distance, [0, 0.42, 1.2], [1, 0.12, 0]).astype(np.float32)


def _bulge(
    finding: Finding, frame: BodyFrame, u: FloatField, v: FloatField, rng: np.random.Generator
) -> FloatField:
    """Displacement along ``back`` in px of a protruding border: convex, or an angular upper corner."""
    if Feature.BORDER_PROTRUSION not in finding.features:
        return np.zeros_like(u)
    size = float(rng.uniform(2.0, 4.5)) * frame.px_per_mm
    convex = finding.primary is not None
    middle, spread = (rng.uniform(-0.15, 0.15), 0.75) if convex else (rng.uniform(-0.75, -0.45), 0.4)
    profile = np.exp(-(((u - middle) / spread) ** 2))
    across = np.interp(v, [0.1, 1 + 2 * size / frame.depth, 2.1], [0, 1, 0])
    if rng.random() < 0.25:  # the anterior border bulges too
        across = across - np.interp(-v, [0.1, 1 + 2 * size / frame.depth, 2.4], [0, 1, 0])
    return np.asarray(-size * profile * across, dtype=np.float32)
