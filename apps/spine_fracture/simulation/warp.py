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
from spine_fracture.simulation.column import Fade, fades
from spine_fracture.simulation.findings import Finding, Variant
from spine_fracture.simulation.textures import smooth_noise

FloatField = npt.NDArray[np.float32]
S = TypeVar("S", bound=np.generic)
NULL_GRAIN = 14.0  # px over which the local part changes
NULL_SHIFT = 0.5  # px, largest shift of the whole picture
NULL_WOBBLE = 0.4  # px, deviation of the local part: every body is met at all sub-pixel positions


@dataclass(eq=False)
class Warp:
    """How far away each output voxel comes from: ``rows`` and ``columns`` (slices, rows, columns) in px
    to add to its position. Built up in place by :func:`collapse`, then applied once.
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
        lines, columns = np.mgrid[0 : self.shape[1], 0 : self.shape[2]].astype(np.float32)
        for k in range(self.shape[0]):
            at = (columns + self.columns[k], lines + self.rows[k])
            out[k] = cv2.remap(volume[k], *at, interpolation, borderMode=cv2.BORDER_REPLICATE)
        return out


def null_warp(shape: tuple[int, int, int], rng: np.random.Generator) -> Warp:
    """A random sub-pixel shift and wobble of zero mean: nothing a reader could see."""
    slices, rows, columns = shape
    fields = []
    for wobble in smooth_noise((2, rows, columns), (1, NULL_GRAIN, NULL_GRAIN), rng):
        moved = NULL_WOBBLE * (wobble - wobble.mean()) + np.float32(rng.uniform(-NULL_SHIFT, NULL_SHIFT))
        fields.append(np.repeat(moved[None].astype(np.float32), slices, axis=0))
    return Warp(*fields)


def collapse(
    warp: Warp, labels: npt.NDArray[np.uint8], frame: BodyFrame, finding: Finding, rng: np.random.Generator
) -> None:
    """Add one finding's loss of height and bulging border to the map, in place.

    ``labels`` are the bodies as the map shows them so far, ``frame`` is the body's place in them.
    """
    shape = warp.shape
    above, below = fades(labels, frame)
    u, v, w = frame.coordinates(shape, slice(0, shape[1]))
    upper = float(rng.uniform(0.55, 0.85))
    slow, concave = _loss(finding, v, rng)
    bulge = _bulge(finding, frame, u, v, rng)
    lines, columns = np.mgrid[0 : shape[1], 0 : shape[2]].astype(np.float32)
    rows = np.flatnonzero(((u > -2 * above.end - 3) & (u < 2 * below.end + 3)).any(axis=1))
    part = slice(int(rows[0]), int(rows[-1]) + 1)
    for k in np.flatnonzero(np.abs(w) < 1.9):
        taper = np.float32(np.clip((1.9 - abs(w[k])) / 0.85, 0, 1))
        dip = np.float32(max(0.0, 1 - (0.85 * w[k]) ** 2) * taper)
        shift = _shift(u[part], slow[part] * taper, concave[part] * dip, upper, (above, below))
        step = [
            (frame.height * a * shift + b * bulge[part] * taper).astype(np.float32)
            for a, b in zip(frame.down, frame.back, strict=True)
        ]
        at = (columns[part] + step[1], lines[part] + step[0])
        earlier = [
            cv2.remap(axis[k], *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            for axis in (warp.rows, warp.columns)
        ]
        warp.rows[k, part], warp.columns[k, part] = step[0] + earlier[0], step[1] + earlier[1]


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


def _shift(
    u: FloatField, slow: FloatField, concave: FloatField, upper: float, handed: tuple[Fade, Fade]
) -> FloatField:
    """Displacement along ``down``, in body heights, that shrinks the body and hands the gap on."""
    share = 0.5 + 0.6 * (upper - 0.5)
    top_slow, top_fast = upper * slow, share * concave
    low_slow, low_fast = (1 - upper) * slow, (1 - share) * concave
    a = u / 2  # in body heights, -0.5 .. 0.5 in the body
    top, low = -0.5 + top_slow + top_fast, 0.5 - low_slow - low_fast
    inside = -0.5 + (a - top) / np.maximum(low - top, 0.1) - a
    over = -handed[0].spread(top - a, top_slow, top_fast)
    under = handed[1].spread(a - low, low_slow, low_fast)
    return np.asarray(np.where(a < top, over, np.where(a > low, under, inside)), dtype=np.float32)


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
