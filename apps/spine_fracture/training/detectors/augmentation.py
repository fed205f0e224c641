"""A teaching picture as it is shown once: turned, sized and cut, with exact boxes.

Outlines are moved with the picture and boxes drawn round them afterwards, so that a box stays
tight however the picture is turned. There are no mirror images and no mosaics: front and back, head and
foot and the order of levels are what the decoder and the reader rely on. Grey levels are changed
afterwards, in :mod:`spine_fracture.training.detectors.signal`.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from spine_fracture.geometry import FloatArray
from spine_fracture.training.detectors.config import FieldOfView, Geometry
from spine_fracture.training.detectors.pictures import BACKGROUND, Grey, TeachingPicture, horizon_above

Mask = npt.NDArray[np.bool_]
#: A body with less of its box in view teaches nothing.
_LEAST_VISIBLE = 0.5


@dataclass(frozen=True, eq=False)
class Shown:
    """What the network is shown: ``pixels`` (2, side, side) uint8, ``boxes`` (n, 4) x0 y0 x1 y1 in
    pixels with ``kinds`` (n,), and ``unknown`` (side, side), True where nothing was labelled.
    """

    pixels: Grey
    boxes: FloatArray
    kinds: np.ndarray[tuple[int], np.dtype[np.int64]]
    unknown: Mask


def show(picture: TeachingPicture, geometry: Geometry, cuts: FieldOfView, rng: np.random.Generator) -> Shown:
    """One augmented view of ``picture``."""
    side = picture.pixels.shape[-1]
    picture = _cut(picture, cuts, rng)
    matrix = _movement(geometry, side, rng)
    slip = np.array([[0, 0, rng.uniform(-1, 1)], [0, 0, rng.uniform(-1, 1)]]) * geometry.slip
    warped: Grey = np.stack(
        [
            cv2.warpAffine(channel, m, (side, side), flags=cv2.INTER_LINEAR)
            for channel, m in zip(picture.pixels, (matrix + slip, matrix), strict=True)
        ]
    )
    return _seen(picture, warped, matrix)


def plain(picture: TeachingPicture) -> Shown:
    """The picture as it is, for validation."""
    return _seen(picture, picture.pixels, np.eye(3)[:2])


def _seen(picture: TeachingPicture, pixels: Grey, matrix: FloatArray) -> Shown:
    """What is known of ``pixels``, which is the picture moved by ``matrix``."""
    side = pixels.shape[-1]
    boxes, kinds, hidden = _boxes(picture, matrix, side)
    unknown = np.zeros((side, side), np.bool_)
    if picture.horizon is not None:
        inner = _moved(picture.outlines[0].mean(axis=0, keepdims=True), matrix)[0]
        unknown |= _beyond(side, _moved(picture.horizon, matrix), inner)
    _fill(unknown, hidden, True)
    _fill(unknown, boxes, False)
    return Shown(pixels, boxes, kinds, unknown)


def _movement(how: Geometry, side: int, rng: np.random.Generator) -> FloatArray:
    """An affine (2, 3) about the middle of the canvas, which lands somewhere near it."""
    low, high = how.small_scale if rng.random() < how.small else how.scale
    size = np.exp(rng.uniform(np.log(low), np.log(high)))
    spread = np.array([how.turn, how.shear])
    turn, shear = np.radians(np.clip(rng.normal(0, spread), -3 * spread, 3 * spread))
    linear = size * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    linear = linear @ np.array([[1.0, np.tan(shear)], [0.0, 1.0]])
    middle = np.full(2, side / 2)
    target = middle + rng.uniform(-how.shift, how.shift, 2) * side
    if size < 1:  # a smaller picture may lie anywhere on the canvas
        target += rng.uniform(-0.5, 0.5, 2) * (1 - size) * side
    return np.column_stack([linear, target - linear @ middle])


def _moved(points: FloatArray, matrix: FloatArray) -> FloatArray:
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2])


def _boxes(
    picture: TeachingPicture, matrix: FloatArray, side: int
) -> tuple[FloatArray, np.ndarray[tuple[int], np.dtype[np.int64]], FloatArray]:
    """Boxes in view with their kinds; those that are doubtful or hardly in view. Background is neither."""
    moved = [_moved(outline, matrix) for outline in picture.outlines]
    whole = np.array([[*m.min(axis=0), *m.max(axis=0)] for m in moved]).reshape(-1, 4)
    seen = np.clip(whole, 0, side)
    area = np.prod(whole[:, 2:] - whole[:, :2], axis=1)
    visible = np.prod(seen[:, 2:] - seen[:, :2], axis=1) / np.maximum(area, 1e-6)
    kinds = np.array(picture.kinds, np.int64)
    kept = (visible >= _LEAST_VISIBLE) & (kinds >= 0)
    return seen[kept], kinds[kept], seen[~kept & (visible > 0) & (kinds != BACKGROUND)]


def _fill(mask: Mask, boxes: FloatArray, value: bool) -> None:
    """Set the pixels whose centre lies in a box."""
    for x0, y0, x1, y1 in np.rint(boxes).astype(int):
        mask[y0:y1, x0:x1] = value


def _beyond(side: int, line: FloatArray, inner: FloatArray) -> Mask:
    """Which pixels (side, side) lie, by their centre, on the other side of ``line`` than ``inner``."""
    across, down = line[1] - line[0]
    centre = np.arange(side) + 0.5
    beside = (across * (centre - line[0, 1]))[:, None] - (down * (centre - line[0, 0]))[None]
    here = across * (inner[1] - line[0, 1]) - down * (inner[0] - line[0, 0])
    return np.asarray(beside * np.sign(here) < 0)


def _cut(picture: TeachingPicture, cuts: FieldOfView, rng: np.random.Generator) -> TeachingPicture:
    """Blacken what lies beyond the highest known body, or beyond one further down, or below one."""
    bodies = len(picture.outlines)
    if bodies < 4:
        return picture
    draw = rng.random()
    if draw < cuts.at_top and picture.horizon is not None:
        return _blackened(picture, picture.horizon, 0, bodies)
    if cuts.at_top <= draw < cuts.at_top + cuts.lower:
        first = int(rng.integers(1, bodies - 2))
        return _blackened(
            picture, horizon_above(picture.outlines[first:], rng.uniform(0.02, 0.15)), first, bodies
        )
    if draw > 1 - cuts.from_below:
        last = int(rng.integers(3, bodies))
        line = horizon_above(picture.outlines[last - 1 :: -1], rng.uniform(0.02, 0.15))
        return _blackened(picture, line, 0, last)
    return picture


def _blackened(picture: TeachingPicture, line: FloatArray, first: int, last: int) -> TeachingPicture:
    """Only bodies ``first`` to ``last`` (exclusive) remain; the picture beyond ``line`` is black."""
    side = picture.pixels.shape[-1]
    inner = picture.outlines[first if first else last - 1].mean(axis=0)
    kept = ~_beyond(side, line, inner)
    headwards = first > 0 or last == len(picture.outlines)
    return TeachingPicture(
        picture.pixels * kept,
        picture.outlines[first:last],
        picture.kinds[first:last],
        None if headwards else picture.horizon,
    )
