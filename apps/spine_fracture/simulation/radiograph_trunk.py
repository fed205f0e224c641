"""The rest of the trunk in a projection: what a beam meets beside the slab that the phantom fills.

The phantom is 76 mm wide, a patient five times that. Everything here is an optical depth (attenuation
times path) on the projection's own 1 mm grid (rows, columns), drawn straight in the picture: soft tissue
to the sides, lungs, gas in the bowel, ribs, transverse processes, iliac bones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from spine_fracture.anatomy import Level
from spine_fracture.geometry import PixelBox
from spine_fracture.simulation.radiograph_bone import LUNG, PER_MINERAL, SOFT_TISSUE
from spine_fracture.simulation.textures import smooth_noise

FloatField = npt.NDArray[np.float32]
Boxes = Mapping[Level, PixelBox]
_EDGE = 8  # mm over which the slab runs into what is drawn beside it


@dataclass(frozen=True)
class Trunk:
    """A patient's build: half ``width`` of the trunk in mm, ``density`` of compact bone against the mean."""

    width: float
    density: float


def draw_trunk(rng: np.random.Generator) -> Trunk:
    return Trunk(float(rng.uniform(135, 180)), float(rng.uniform(0.75, 1.2)))


def beside_the_slab(
    slab: FloatField, half: int, boxes: Boxes, trunk: Trunk, rng: np.random.Generator
) -> FloatField:
    """The AP optical depth (rows, 2 * ``half``) of the slab (rows, slab columns) with the trunk beside it."""
    rows, width = slab.shape
    side = half - width // 2
    x = np.arange(2 * half) + 0.5 - half
    inner = width / 2 - _EDGE
    edges = [gaussian_filter1d(part.mean(axis=1), 12) for part in (slab[:, :_EDGE], slab[:, -_EDGE:])]
    whole = np.where(x[None] < 0, edges[0][:, None], edges[1][:, None])
    ellipse = np.sqrt(np.clip(1 - (x / trunk.width) ** 2, 0, 1))
    whole = whole * ellipse / np.sqrt(1 - (inner / trunk.width) ** 2)
    lumps = smooth_noise((2, rows, 2 * half), (1, 18, 22), rng)
    whole = whole * (1 + 0.03 * lumps[0] + 0.015 * lumps[1] ** 2)
    padded = np.pad(slab, ((0, 0), (side, side)), mode="edge")
    share = np.clip((np.abs(x) - inner) / _EDGE, 0, 1)[None]
    depth = padded * (1 - share) + whole * share
    depth += _psoas(x, rows, boxes)
    depth += _transverse_processes(x, rows, boxes, rng) * trunk.density
    depth += _ribs_in_front(x, rows, boxes, rng) * trunk.density
    depth += _iliac_bones(x, rows, boxes, rng) * trunk.density
    return np.asarray(depth - _gas(rows, 2 * half, boxes, rng), dtype=np.float32)


def across_the_trunk(slab: FloatField, boxes: Boxes, trunk: Trunk, rng: np.random.Generator) -> FloatField:
    """The lateral optical depth (rows, columns) of the slab with what lies to its left and right."""
    rows, columns = slab.shape
    inside = slab > 0.35 * np.median(slab)
    front, back = inside.argmax(axis=1), columns - inside[:, ::-1].argmax(axis=1)
    middle = gaussian_filter1d((front + back) / 2, 15)[:, None]
    reach = gaussian_filter1d((back - front) / 2, 15)[:, None]
    c = np.arange(columns)[None] + 0.5
    path = 2 * trunk.width * np.clip(1 - np.abs((c - middle) / reach) ** 3, 0, 1) ** 0.4 - 76
    path = np.clip(path, 0, None) * (1 + 0.03 * smooth_noise((1, rows, columns), (1, 20, 20), rng)[0])
    depth = slab + SOFT_TISSUE * path * (1 - (1 - LUNG / SOFT_TISSUE) * _lungs(rows, columns, boxes, rng))
    depth += _ribs_across(rows, columns, boxes, rng) * trunk.density
    depth += _iliac_wings(rows, columns, boxes, rng) * trunk.density
    return np.asarray(depth - 0.5 * _gas(rows, columns, boxes, rng), dtype=np.float32)


def _bone(mineral_mm: FloatField | float) -> FloatField:
    """Optical depth of compact bone of this thickness in mm."""
    return np.asarray(1.1 * PER_MINERAL * np.asarray(mineral_mm), dtype=np.float32)


def _tube(distance: FloatField, half: float) -> FloatField:
    """Thickness in mm of a hollow bone's wall, seen along the beam, at ``distance`` from its axis."""
    outer = np.sqrt(np.clip(half**2 - distance**2, 0, None))
    inner = np.sqrt(np.clip((half - 0.9) ** 2 - distance**2, 0, None))
    return np.asarray(2 * (outer - 0.75 * inner), dtype=np.float32)


def _of(boxes: Boxes, region: str) -> list[tuple[Level, PixelBox]]:
    return [(level, box) for level, box in boxes.items() if level.region == region]


def _psoas(x: FloatField, rows: int, boxes: Boxes) -> FloatField:
    """The muscles whose edges run outwards from the first lumbar vertebra to the pelvis."""
    lumbar = _of(boxes, "L")
    if not lumbar:
        return np.zeros((rows, len(x)), np.float32)
    top, low = lumbar[0][1].y0, lumbar[-1][1].y1
    share = np.clip((np.arange(rows) - top) / max(low - top, 1), 0, 1)[:, None]
    edge = 24 + 36 * share
    thick = 34 * share**0.5 * np.clip((edge - np.abs(x)[None]) / 3 + 0.5, 0, 1)
    return np.asarray(0.0036 * thick, dtype=np.float32)


def _transverse_processes(x: FloatField, rows: int, boxes: Boxes, rng: np.random.Generator) -> FloatField:
    r = np.arange(rows)[:, None] + 0.5
    total = np.zeros((rows, len(x)), np.float32)
    half_grid = len(x) / 2
    for _, box in _of(boxes, "L"):
        middle = (box.x0 + box.x1) / 2 - half_grid
        for sign in (-1, 1):
            out = sign * (x[None] - middle) - box.width / 2 + 4
            reach = rng.uniform(19, 27)
            row = box.y0 + (0.32 + rng.normal(0, 0.03)) * box.height - rng.uniform(0, 0.2) * out
            shape = np.clip(np.minimum(out, reach - out) / 3, 0, 1)
            total += _bone(_tube(r - row, rng.uniform(4, 5.5)) * shape)
    return total


def _ribs_in_front(x: FloatField, rows: int, boxes: Boxes, rng: np.random.Generator) -> FloatField:
    """The ribs of the thoracic levels, from the spine outwards and down; the last are short."""
    r = np.arange(rows)[:, None] + 0.5
    total = np.zeros((rows, len(x)), np.float32)
    for level, box in _of(boxes, "T"):
        middle = (box.x0 + box.x1) / 2 - len(x) / 2
        slope = rng.uniform(0.3, 0.5)
        reach = rng.uniform(60, 110) if level in (Level.T12, Level.T13) else 400.0
        for sign in (-1, 1):
            out = sign * (x[None] - middle) - box.width / 2 + 2
            row = box.y0 + slope * np.clip(out, 0, None) + 0.0016 * np.clip(out, 0, None) ** 2
            shape = np.clip(out / 4, 0, 1) * np.clip((reach - out) / 6, 0, 1)
            total += _bone(_tube((r - row) / 1.1, rng.uniform(4.5, 6)) * shape)
    return total


def _iliac_bones(x: FloatField, rows: int, boxes: Boxes, rng: np.random.Generator) -> FloatField:
    """Iliac crests beside the last lumbar disc, and the sacrum's wings between them."""
    if Level.S1 not in boxes:
        return np.zeros((rows, len(x)), np.float32)
    sacrum = boxes[Level.S1]
    middle = (sacrum.x0 + sacrum.x1) / 2 - len(x) / 2
    r = np.arange(rows)[:, None] + 0.5
    a = np.abs(x[None] - middle)
    crest = sacrum.y0 - rng.uniform(5, 25) + 0.006 * (a - 88) ** 2
    inner = 50 - 0.12 * (r - sacrum.y0)
    soft_edge = gaussian_filter(((r > crest) & (a > inner)).astype(np.float32), 1.2)
    rim = np.exp(-(((r - crest - 2) / 2.2) ** 2)) * (a > inner)
    wings = ((a > 18) & (a < inner - 3) & (r > sacrum.y0 + 4 + 0.15 * (a - 18))).astype(np.float32)
    grain = 1 + 0.15 * smooth_noise((1, rows, len(x)), (1, 4, 4), rng)[0]
    return np.asarray(_bone(4.5 * soft_edge + 4 * rim + 4 * gaussian_filter(wings, 1.5)) * grain, np.float32)


def _lungs(rows: int, columns: int, boxes: Boxes, rng: np.random.Generator) -> FloatField:
    """Share of the path through lung: above the diaphragm, which comes down at the back."""
    thoracic = _of(boxes, "T")
    if not thoracic:
        return np.zeros((rows, columns), np.float32)
    last = thoracic[-1][1]
    c = np.arange(columns)[None] + 0.5
    dome = last.y1 - rng.uniform(0, 25) + 0.35 * (c - last.x1) - 0.002 * (c - last.x1) ** 2
    above = np.clip((dome - np.arange(rows)[:, None]) / 14 + 0.5, 0, 1)
    return np.asarray(0.45 * above, dtype=np.float32)


def _ribs_across(rows: int, columns: int, boxes: Boxes, rng: np.random.Generator) -> FloatField:
    """Left and right ribs, running forwards and down across the thoracic bodies."""
    r, c = np.arange(rows)[:, None] + 0.5, np.arange(columns)[None] + 0.5
    total = np.zeros((rows, columns), np.float32)
    for _, box in _of(boxes, "T"):
        for _ in range(2):
            slope, start = rng.uniform(0.45, 0.8), box.x1 + rng.uniform(15, 30)
            row = box.y0 + rng.uniform(-4, 8) + slope * (start - c)
            shape = np.clip((start - c) / 10, 0, 1)
            total += _bone(0.8 * _tube((r - row) / 1.2, rng.uniform(4.5, 6)) * shape)
    return total


def _iliac_wings(rows: int, columns: int, boxes: Boxes, rng: np.random.Generator) -> FloatField:
    """Both iliac wings over the sacrum and the lowest disc."""
    if Level.S1 not in boxes:
        return np.zeros((rows, columns), np.float32)
    sacrum = boxes[Level.S1]
    r, c = np.arange(rows)[:, None] + 0.5, np.arange(columns)[None] + 0.5
    total = np.zeros((rows, columns), np.float32)
    for _ in range(2):
        crest = sacrum.y0 - rng.uniform(0, 18) + 0.012 * (c - sacrum.x0 - rng.uniform(-5, 20)) ** 2
        total += 3.5 * (r > crest) + 3 * np.exp(-(((r - crest - 2) / 2.0) ** 2))
    return _bone(gaussian_filter(total, 1.2))


def _gas(rows: int, columns: int, boxes: Boxes, rng: np.random.Generator) -> FloatField:
    """Optical depth that gas in the bowel takes away, below the diaphragm."""
    lumbar = _of(boxes, "L")
    first = lumbar[0][1].y0 if lumbar else 0.0
    field = smooth_noise((1, rows, columns), (1, 11, 14), rng)[0]
    coarse = smooth_noise((1, rows, columns), (1, 45, 45), rng)[0]
    bubbles = np.clip((field + 0.8 * coarse - rng.uniform(1.4, 2.2)) / 0.35, 0, 1)
    below = np.clip((np.arange(rows)[:, None] - first) / 20, 0, 1)
    return np.asarray(SOFT_TISSUE * rng.uniform(8, 20) * bubbles * below, dtype=np.float32)
