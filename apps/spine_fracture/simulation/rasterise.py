"""Fills a 1 mm volume with tissues round a skeleton.

Volumes have shape (slices, rows, columns): slices run from the patient's left to the right, rows
head to foot, columns front to back, 1 mm each. Every point has spine coordinates: ``s`` along the
centreline, ``p`` backwards from it, ``x`` to the right of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree

from spine_fracture.anatomy import Level
from spine_fracture.simulation.skeleton import STEP, FloatArray, Segment, Skeleton
from spine_fracture.simulation.tissues import Tissue

Labels = npt.NDArray[np.uint8]
SLAB = 76  # mm, left to right


@dataclass(frozen=True, eq=False)
class Plane:
    """Spine coordinates of the mid-sagittal plane: ``s`` and ``p`` (rows, columns) in mm, ``lateral``
    (rows, columns) the scoliotic offset, and ``x`` (slices,) mm to the right of the middle.
    """

    s: FloatArray
    p: FloatArray
    lateral: FloatArray
    x: FloatArray

    def at(self, where: npt.NDArray[np.bool_]) -> Points:
        flat = np.flatnonzero(where)
        return Points(
            flat,
            self.s.ravel()[flat],
            self.p.ravel()[flat],
            self.x[:, None] - self.lateral.ravel()[flat][None],
        )


@dataclass(frozen=True, eq=False)
class Points:
    """Chosen columns of the slab: ``flat`` index in the plane, ``s``, ``p`` (n,), ``x`` (slices, n)."""

    flat: npt.NDArray[np.intp]
    s: FloatArray
    p: FloatArray
    x: FloatArray


def make_plane(skeleton: Skeleton) -> Plane:
    rows, columns = skeleton.shape
    grid = np.mgrid[0:rows, 0:columns].reshape(2, -1).T + 0.5
    _, nearest = cKDTree(skeleton.points).query(grid)
    offset = grid - skeleton.points[nearest]
    tangent = skeleton.tangents[nearest]
    along = (offset * tangent).sum(axis=1)
    across = offset[:, 1] * tangent[:, 0] - offset[:, 0] * tangent[:, 1]
    return Plane(
        (nearest * STEP + along).reshape(rows, columns),
        across.reshape(rows, columns),
        skeleton.lateral[nearest].reshape(rows, columns),
        np.arange(SLAB) + 0.5 - SLAB / 2,
    )


def rasterise(skeleton: Skeleton, rng: np.random.Generator) -> tuple[Labels, Labels]:
    """Tissues and body labels (1 + Level.order), both (slices, rows, columns) uint8."""
    plane = make_plane(skeleton)
    tissue = np.empty((SLAB, *skeleton.shape), dtype=np.uint8)
    labels = np.zeros_like(tissue)
    flat_tissue, flat_labels = tissue.reshape(SLAB, -1), labels.reshape(SLAB, -1)
    tissue[:] = _surroundings(skeleton, plane, rng)
    _posterior_midline(skeleton, plane, flat_tissue, rng)
    _canal(skeleton, plane, flat_tissue, rng)
    for segment in skeleton.segments:
        _posterior_elements(segment, plane, flat_tissue)
    for segment in skeleton.segments:
        _disc(segment, plane, flat_tissue)
    for segment in skeleton.segments:
        if segment.level is Level.C1:
            _atlas(segment, plane, flat_tissue)
        else:
            _body(segment, plane, flat_tissue, flat_labels)
    return tissue, labels


def _profile(skeleton: Skeleton, value: str, s: FloatArray) -> FloatArray:
    at = [g.s for g in skeleton.segments]
    return np.interp(s, at, [getattr(g, value) for g in skeleton.segments])


def canal_centre(depth: FloatArray | float) -> FloatArray | float:
    """``p`` of the middle of the spinal canal behind a body of that depth, mm."""
    return np.multiply(depth, 0.5) + 8.5


def _surroundings(skeleton: Skeleton, plane: Plane, rng: np.random.Generator) -> Labels:
    """Soft tissue in front, muscle behind, subcutaneous fat, skin and air; (rows, columns)."""
    rows, columns = skeleton.shape
    depth = _profile(skeleton, "depth", plane.s)
    plain = np.full((rows, columns), Tissue.SOFT, dtype=np.uint8)
    plain[plane.p > depth / 2 - 2] = Tissue.MUSCLE
    fat = (plane.p < -depth / 2) & (plane.p > -depth / 2 - rng.uniform(2, 6))
    plain[fat] = Tissue.FAT
    at_row = np.interp(np.arange(rows) + 0.5, skeleton.points[:, 0], skeleton.points[:, 1])
    low = np.linspace(0, 1, rows)
    back = gaussian_filter1d(at_row, 28, mode="nearest") + 46 + 8 * low
    thickness = rng.uniform(7, 22) * (0.7 + 0.9 * low**2)
    column = np.arange(columns)[None] + 0.5
    plain[column > back[:, None]] = Tissue.FAT
    skin = back + thickness
    plain[column > skin[:, None] - 1.5] = Tissue.SKIN
    plain[column > skin[:, None]] = Tissue.AIR
    return plain


def _posterior_midline(skeleton: Skeleton, plane: Plane, tissue: Labels, rng: np.random.Generator) -> None:
    """Interspinous tissue: a streaky mixture of fat and ligament between the muscles."""
    points = plane.at((plane.p > 14) & (plane.p < 48))
    streaks = np.sin(points.s * 0.9 + 0.5 * points.p + rng.uniform(0, 6)) > 0.2
    middle = (np.abs(points.x) < 3.5) & (tissue[:, points.flat] == Tissue.MUSCLE)
    _paint(tissue, points, middle & streaks, Tissue.FAT)


def _canal(skeleton: Skeleton, plane: Plane, tissue: Labels, rng: np.random.Generator) -> None:
    """Epidural fat, the dural sac with CSF, the cord to about L1 and the cauda equina below it."""
    depth_plane = _profile(skeleton, "depth", plane.s)
    near = np.abs(plane.p - canal_centre(depth_plane)) < 13
    points = plane.at(near)
    centre = canal_centre(_profile(skeleton, "depth", points.s))
    off = points.p - centre
    end = _sac_end(skeleton)
    narrowing = np.clip((end - points.s) / 30, 0.0, 1.0)
    ring = np.hypot(off / 9.0, points.x / 12.5)
    _paint(tissue, points, ring < 1, Tissue.EPIDURAL_FAT)
    sac = np.hypot((off + 0.8) / (6.9 * narrowing + 0.01), points.x / (9.5 * narrowing + 0.01)) < 1
    _paint(tissue, points, sac, Tissue.CSF)
    conus = _conus(skeleton)
    taper = np.clip((conus - points.s) / 22, 0, 1) ** 0.6
    cord = np.hypot((off - 0.4) / (4.1 * taper + 0.01), points.x / (5.6 * taper + 0.01)) < 1
    _paint(tissue, points, cord, Tissue.CORD)
    below = points.s > conus - 15
    strands = (np.sin(points.x * 1.9 + rng.uniform(0, 6)) * np.cos(off * 1.7 + points.s * 0.02) > 0.35) & (
        off > -1.0
    )
    _paint(tissue, points, sac & below & strands & ~cord, Tissue.NERVE)


def _conus(skeleton: Skeleton) -> float:
    """Arc length where the cord ends: the lower edge of L1, or the end of a shorter spine."""
    below = [g.s + g.height / 2 for g in skeleton.segments if g.level is not None and g.level <= Level.L1]
    lumbar = [g for g in skeleton.segments if g.level is Level.L1]
    if lumbar:
        return lumbar[0].s + lumbar[0].height / 2
    first = skeleton.segments[0].level
    return 0.0 if first is not None and first.order > Level.L1.order else 1e4 if below else 0.0


def _sac_end(skeleton: Skeleton) -> float:
    sacral = [g.s for g in skeleton.segments if g.level is None]
    return sacral[0] + 20 if sacral else 1e4


def _posterior_elements(segment: Segment, plane: Plane, tissue: Labels) -> None:
    """Pedicles, articular pillars, laminae and the spinous process of one vertebra."""
    if segment.level is Level.C1 or segment.level is None:
        return
    h, d, w = segment.height, segment.depth, segment.width
    points = plane.at(
        (np.abs(plane.s - segment.s) < h * 1.2 + 6) & (plane.p > d / 2 - 3) & (plane.p < d / 2 + 46)
    )
    ds, dp = points.s - segment.s, points.p - d / 2
    side = np.abs(points.x)
    canal = 17.0
    pedicle = np.hypot((ds + 0.18 * h) / (0.27 * h), (side - max(0.29 * w, 11)) / (0.1 * w + 1)) - 1
    pedicle = np.where((dp > -3) & (dp < canal), pedicle, 9.0)
    pillar = np.hypot((dp - canal + 2) / 6.0, (side - max(0.33 * w, 12)) / 5.0)
    pillar = np.where(np.abs(ds - 0.1 * h) < h * 0.62, pillar - 1, 9.0)
    lamina = np.abs(dp - canal - 0.25 * (ds + 2) - 2.0) / 3.2 - 1
    lamina = np.where((np.abs(ds - 0.15 * h) < h * 0.42) & (side < 15), lamina, 9.0)
    slope = {"C": 0.35, "T": 0.9, "L": 0.18, "S": 0.5}[segment.level.region]
    length = {"C": 17.0, "T": 24.0, "L": 27.0, "S": 12.0}[segment.level.region]
    reach = dp - canal - 1
    spinous = np.abs(ds - 0.25 * h - slope * reach) / (0.36 * h) - 1
    spinous = np.where((reach > 0) & (reach < length) & (side < 3.6), spinous, 9.0)
    bone = np.minimum(np.minimum(pedicle, pillar), np.minimum(lamina, spinous))
    _paint(tissue, points, bone < 0, Tissue.CORTEX)
    _paint(tissue, points, bone < -0.22, Tissue.POSTERIOR_MARROW)


def _plan(segment: Segment, points: Points) -> FloatArray:
    """Superelliptic radius in the axial plane, 1 at the rim of the body."""
    v, w = points.p[None] / (segment.depth / 2), points.x / (segment.width / 2)
    return np.asarray((np.abs(v) ** 2.8 + np.abs(w) ** 2.8) ** (1 / 2.8))


def _disc(segment: Segment, plane: Plane, tissue: Labels) -> None:
    """The disc below one vertebra, reaching into the concave endplates."""
    middle = segment.s + (segment.height + segment.disc) / 2
    half = segment.disc / 2
    points = plane.at((np.abs(plane.s - middle) < half + 3.5) & (np.abs(plane.p) < segment.depth / 2 + 3))
    q = _plan(segment, points) / (1 + 0.08 * segment.degeneration)
    t = np.abs(points.s - middle)[None] / (half + 1.5)
    _paint(tissue, points, q <= 1.03, Tissue.LIGAMENT)
    _paint(tissue, points, q <= 0.97, Tissue.ANNULUS)
    if segment.level is None or segment.degeneration > 0.75:
        return
    nucleus = Tissue.NUCLEUS if segment.degeneration < 0.4 else Tissue.NUCLEUS_WORN
    _paint(tissue, points, np.hypot(q / 0.72, t / 0.95) < 1, nucleus)


def _body(segment: Segment, plane: Plane, tissue: Labels, labels: Labels) -> None:
    """The body: concave waist and endplates, cortical rim, marrow, basivertebral vein."""
    h, d = segment.height, segment.depth
    dens = h if segment.level is Level.C2 else 0.0
    points = plane.at(
        (np.abs(plane.s - segment.s + dens / 2) < h / 2 + dens / 2 + 2) & (np.abs(plane.p) < d / 2 + 3)
    )
    u = (points.s - segment.s)[None] / (h / 2)
    taper = 1 - 0.16 * np.clip((u + 1) / 2, 0, 1) if segment.level in (Level.S1, None) else 1.0
    q = _plan(segment, points) / taper
    side = q / (1 - 0.06 * (1 - np.clip(np.abs(u), 0, 1) ** 2))
    end = np.abs(u) / (1 - 2.0 / h * np.clip(1 - q**2, 0, 1))
    solid = side**10 + end**10 <= 1
    rim = (side > 1 - 2.2 / d) | (end > 1 - 2.4 / h)
    if dens:
        tip = (
            np.hypot((points.p - 1.0)[None] / (0.42 * d), points.x / 5.5) ** 4
            + (np.abs((points.s - segment.s + 0.75 * h)[None]) / (0.75 * h)) ** 4
        )
        rim = np.where(solid, rim & (tip > 0.6), tip > 0.6)
        solid = solid | (tip <= 1)
    _paint(tissue, points, solid, Tissue.MARROW)
    _paint(tissue, points, solid & rim, Tissue.CORTEX)
    vein = (points.p > 0.1 * d)[None] & (np.abs(u) < 0.1) & (np.abs(points.x) < 0.18 * segment.width)
    if segment.level is not None:
        _paint(tissue, points, solid & ~rim & vein, Tissue.VEIN)
        _paint(labels, points, solid, 1 + segment.level.order)


def _atlas(segment: Segment, plane: Plane, tissue: Labels) -> None:
    """The two arches of C1; it has no body, so it gets no label."""
    points = plane.at((np.abs(plane.s - segment.s) < 8) & (np.abs(plane.p) < 40))
    ds = (points.s - segment.s)[None]
    for p, depth in ((-9.5, 3.2), (23.0, 4.0)):
        ring = np.hypot((points.p - p)[None] / depth, ds / 5.0)
        _paint(tissue, points, (ring < 1) & (np.abs(points.x) < 15), Tissue.CORTEX)
        _paint(tissue, points, (ring < 0.65) & (np.abs(points.x) < 15), Tissue.POSTERIOR_MARROW)


def _paint(volume: Labels, points: Points, where: npt.NDArray[np.bool_], value: int) -> None:
    """Write ``value`` into the chosen points of a (slices, rows x columns) volume."""
    block = volume[:, points.flat]
    block[np.broadcast_to(where, block.shape)] = value
    volume[:, points.flat] = block
