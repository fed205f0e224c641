"""A teaching picture as it is shown once: turned, sized, cut, shaded, with exact boxes.

Outlines are moved with the picture and boxes drawn round them afterwards, so that a box stays
tight however the picture is turned. There are no mirror images: front and back, head and foot are
what the decoder and the reader rely on.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from spine_fracture.geometry import FloatArray
from spine_fracture.imaging import Pixels
from spine_fracture.training.detector_config import FieldOfView, Geometry, Signal
from spine_fracture.training.detector_pictures import DOUBTFUL, Grey, TeachingPicture, horizon_above

#: A body with less of its box in view teaches nothing.
_LEAST_VISIBLE = 0.5


@dataclass(frozen=True, eq=False)
class Shown:
    """What the network is shown: ``pixels`` (2, side, side) in [0, 1], ``boxes`` (n, 4) x0 y0 x1 y1
    in pixels with ``kinds`` (n,), and ``unknown`` (cells,), True where nothing was labelled.
    """

    pixels: Pixels
    boxes: FloatArray
    kinds: np.ndarray[tuple[int], np.dtype[np.int64]]
    unknown: np.ndarray[tuple[int], np.dtype[np.bool_]]


def show(
    picture: TeachingPicture,
    cells: FloatArray,
    geometry: Geometry,
    signal: Signal,
    cuts: FieldOfView,
    rng: np.random.Generator,
) -> Shown:
    """One augmented view of ``picture``; ``cells`` (cells, 2) are the network's cell centres."""
    side = picture.pixels.shape[-1]
    picture = _cut(picture, cuts, rng)
    matrix = _movement(picture, geometry, side, rng)
    slip = np.array([[0, 0, rng.uniform(-1, 1)], [0, 0, rng.uniform(-1, 1)]]) * geometry.slip
    warped: Grey = np.stack(
        [
            cv2.warpAffine(channel, m, (side, side), flags=cv2.INTER_LINEAR)
            for channel, m in zip(picture.pixels, (matrix + slip, matrix), strict=True)
        ]
    )
    boxes, kinds, hidden = _boxes(picture, matrix, side)
    unknown = _in_any(cells, hidden)
    if picture.horizon is not None:
        inner = _moved(picture.outlines[0].mean(axis=0, keepdims=True), matrix)[0]
        unknown |= _beyond(cells, _moved(picture.horizon, matrix), inner)
    unknown &= ~_in_any(cells, boxes)
    return Shown(_signal(warped, signal, rng), boxes, kinds, unknown)


def plain(picture: TeachingPicture, cells: FloatArray) -> Shown:
    """The picture as it is, for validation."""
    identity = np.eye(3)[:2]
    boxes, kinds, hidden = _boxes(picture, identity, picture.pixels.shape[-1])
    return Shown(picture.pixels.astype(np.float32) / 255, boxes, kinds, _in_any(cells, hidden))


def _movement(picture: TeachingPicture, how: Geometry, side: int, rng: np.random.Generator) -> FloatArray:
    """An affine (2, 3) about the middle of the canvas, which lands somewhere near it."""
    low, high = how.small_scale if rng.random() < how.small else how.scale
    size = np.exp(rng.uniform(np.log(low), np.log(high)))
    turn, shear = np.radians(np.clip(rng.normal(0, (how.turn, how.shear)), -3 * how.turn, 3 * how.turn))
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
    """Boxes in view with their kinds, and those that are doubtful or hardly in view."""
    moved = [_moved(outline, matrix) for outline in picture.outlines]
    whole = np.array([[*m.min(axis=0), *m.max(axis=0)] for m in moved]).reshape(-1, 4)
    seen = np.clip(whole, 0, side)
    area = np.prod(whole[:, 2:] - whole[:, :2], axis=1)
    visible = np.prod(seen[:, 2:] - seen[:, :2], axis=1) / np.maximum(area, 1e-6)
    kinds = np.array(picture.kinds, np.int64)
    kept = (visible >= _LEAST_VISIBLE) & (kinds != DOUBTFUL)
    return seen[kept], kinds[kept], seen[~kept & (visible > 0)]


def _in_any(cells: FloatArray, boxes: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    above = (cells[:, None] >= boxes[None, :, :2]).all(-1)
    below = (cells[:, None] <= boxes[None, :, 2:]).all(-1)
    return np.asarray((above & below).any(1))


def _side_of(points: FloatArray, line: FloatArray) -> FloatArray:
    direction = line[1] - line[0]
    offset = points - line[0]
    return np.asarray(direction[0] * offset[..., 1] - direction[1] * offset[..., 0])


def _beyond(
    points: FloatArray, line: FloatArray, inner: FloatArray
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which points lie on the other side of ``line`` than ``inner``."""
    return np.asarray(_side_of(points, line) * _side_of(inner[None], line) < 0)


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
    grid = np.stack(np.meshgrid(np.arange(side) + 0.5, np.arange(side) + 0.5), -1)
    inner = picture.outlines[first if first else last - 1].mean(axis=0)
    kept = _side_of(grid, line) * _side_of(inner[None], line) >= 0
    headwards = first > 0 or last == len(picture.outlines)
    return TeachingPicture(
        picture.pixels * kept,
        picture.outlines[first:last],
        picture.kinds[first:last],
        None if headwards else picture.horizon,
    )


def _signal(pixels: Grey, how: Signal, rng: np.random.Generator) -> Pixels:
    """Grey levels changed channel by channel, in [0, 1]; a channel may be left out."""
    draw = rng.random()
    given = (draw >= how.only_t2, not how.only_t2 <= draw < how.only_t2 + how.only_t1)
    channels = [
        _changed(channel, how, rng) if there else np.zeros(channel.shape, np.float32)
        for channel, there in zip(pixels, given, strict=True)
    ]
    return np.stack(channels)


def _changed(channel: Grey, how: Signal, rng: np.random.Generator) -> Pixels:
    side = channel.shape[-1]
    level = np.arange(256, dtype=np.float32) / 255
    gamma, gain = np.exp(rng.normal(0, (how.gamma, how.gain)))
    image = cv2.LUT(channel, (gain * level**gamma).astype(np.float32))
    if rng.random() < 0.5:
        width = rng.uniform(0, how.blur)
        if width > 0.2:
            image = cv2.GaussianBlur(image, (0, 0), width)
    if rng.random() < 0.5:
        x = np.linspace(-1, 1, side, dtype=np.float32)
        a, b, c = rng.uniform(-how.bias, how.bias, 3) / 2
        image = image * ((1 + a * x + c * x**2)[None] * (1 + b * x)[:, None])
    if rng.random() < 0.5:
        image = image + rng.standard_normal((side, side), np.float32) * rng.uniform(0, how.noise)
    return np.asarray(np.clip(image, 0, 1), np.float32)
