"""Bodies, discs and posterior elements, painted segment by segment."""

from __future__ import annotations

import numpy as np

from spine_fracture.anatomy import Level
from spine_fracture.simulation.plane import Labels, Plane, Points, paint
from spine_fracture.simulation.skeleton import FloatArray, Segment
from spine_fracture.simulation.tissues import Tissue

CANAL_DEPTH = 17.0  # mm, front to back, bone to bone
_FAR = 9.0  # outside any shape

# By region: slope of the spinous process (mm down a mm back), its length and half height (share of
# the body's height).
_SPINOUS = {"C": (0.35, 19.0, 0.3), "T": (0.95, 26.0, 0.24), "L": (0.16, 31.0, 0.36), "S": (0.5, 12.0, 0.25)}


def paint_posterior_elements(segment: Segment, plane: Plane, tissue: Labels) -> None:
    """Foramina with their fat and nerves, pedicles, articular pillars, laminae, spinous process."""
    if segment.level is None or segment.level is Level.C1:
        return
    h, d = segment.height, segment.depth
    near = (np.abs(plane.s - segment.s) < h * 1.3 + 8) & (plane.p > d / 2 - 3) & (plane.p < d / 2 + 56)
    points = plane.at(near)
    ds, dp, side = points.s - segment.s, points.p - d / 2, np.abs(points.x)
    _foramen(segment, points, ds, dp, side, tissue)
    bone = np.minimum(
        np.minimum(_pedicle(segment, ds, dp, side), _pillar(segment, ds, dp, side)),
        np.minimum(_lamina(segment, ds, dp, side), _spinous(segment, ds, dp, side)),
    )
    paint(tissue, points, bone < 0, Tissue.CORTEX)
    paint(tissue, points, bone < -0.24, Tissue.POSTERIOR_MARROW)


def _foramen(
    segment: Segment, points: Points, ds: FloatArray, dp: FloatArray, side: FloatArray, tissue: Labels
) -> None:
    h = segment.height
    below = ds - 0.42 * h
    hole = np.hypot(below / (0.42 * h + 2), (dp - 6) / 7.5) < 1
    lateral = (side > 9) & (side < 22)
    paint(tissue, points, hole & lateral, Tissue.FAT)
    nerve = np.hypot(below + 0.12 * h, dp - 6.5) < 2.6
    paint(tissue, points, nerve & lateral, Tissue.NERVE)


def _pedicle(segment: Segment, ds: FloatArray, dp: FloatArray, side: FloatArray) -> FloatArray:
    h, w = segment.height, segment.width
    shape = np.hypot((ds + 0.18 * h) / (0.28 * h), (side - max(0.3 * w, 11.5)) / (0.1 * w + 1)) - 1
    return np.where((dp > -3) & (dp < CANAL_DEPTH), shape, _FAR)


def _pillar(segment: Segment, ds: FloatArray, dp: FloatArray, side: FloatArray) -> FloatArray:
    """Articular processes, with the joint line of the facet at the level of the disc."""
    h, w = segment.height, segment.width
    shape = np.hypot((dp - CANAL_DEPTH + 1 - 0.12 * ds) / 6.0, (side - max(0.33 * w, 12)) / 5.5)
    along = np.abs(ds - 0.1 * h) / (0.62 * h)
    return np.where(along < 1, np.maximum(shape, along**4) - 1, _FAR)


def _lamina(segment: Segment, ds: FloatArray, dp: FloatArray, side: FloatArray) -> FloatArray:
    h = segment.height
    across = np.abs(dp - CANAL_DEPTH - 1.5 - 0.22 * (ds + 2)) / 3.4
    along = np.abs(ds - 0.16 * h) / (0.44 * h)
    return np.where(side < 15, (across**4 + along**4) ** 0.25 - 1, _FAR)


def _spinous(segment: Segment, ds: FloatArray, dp: FloatArray, side: FloatArray) -> FloatArray:
    if segment.level is None:
        return np.full_like(side, _FAR)
    slope, length, thick = _SPINOUS[segment.level.region]
    reach = dp - CANAL_DEPTH - 1
    drop = np.abs(ds - 0.22 * segment.height - slope * reach) / (
        thick * segment.height * (0.9 + 0.25 * reach / length)
    )
    along = np.abs(reach - length / 2) / (length / 2)
    outline = (drop**4 + along**6) ** 0.25 - 1
    return np.where(side < 3.4, outline, _FAR)


def _plan(segment: Segment, points: Points) -> FloatArray:
    """Superelliptic radius in the axial plane, 1 at the rim of the body; the back is flat."""
    v, w = points.p[None] / (segment.depth / 2), points.x / (segment.width / 2)
    front, back = np.abs(v) ** 2.3 + np.abs(w) ** 2.3, np.abs(v) ** 4 + np.abs(w) ** 4
    return np.asarray(np.where(v < 0, front ** (1 / 2.3), back**0.25))


def paint_disc(segment: Segment, plane: Plane, tissue: Labels) -> None:
    """The disc below one vertebra, reaching into the concave endplates; worn ones bulge and darken."""
    middle = segment.s + (segment.height + segment.disc) / 2
    half = segment.disc / 2
    near = (np.abs(plane.s - middle) < half + 3.5) & (np.abs(plane.p) < segment.depth / 2 + 4)
    points = plane.at(near)
    q = _plan(segment, points) / (1.02 + 0.09 * segment.degeneration)
    t = np.abs(points.s - middle)[None] / (half + 1.2)
    paint(tissue, points, q <= 1.03, Tissue.LIGAMENT)
    paint(tissue, points, q <= 0.94, Tissue.ANNULUS)
    if segment.level is None or segment.degeneration > 0.72:
        return
    worn = segment.degeneration > 0.4
    core = np.hypot(q / (0.74 if worn else 0.8), (t / 0.92) ** 1.5)
    paint(tissue, points, core < 1, Tissue.NUCLEUS_WORN)
    if not worn:
        paint(tissue, points, (core < 0.86) & (t > 0.16), Tissue.NUCLEUS)


def paint_body(segment: Segment, plane: Plane, tissue: Labels, labels: Labels) -> None:
    """The body: concave waist and endplates, cortical rim, marrow, basivertebral vein."""
    if segment.level is Level.C1:
        _atlas(segment, plane, tissue)
        return
    h, d = segment.height, segment.depth
    dens = h if segment.level is Level.C2 else 0.0
    near = np.abs(plane.s - segment.s + dens / 2) < h / 2 + dens / 2 + 3
    points = plane.at(near & (np.abs(plane.p) < d / 2 + 3))
    u = (points.s - segment.s)[None] / (h / 2)
    v = points.p[None] / (d / 2)
    taper = 1 - 0.2 * np.clip((u + 1) / 2, 0, 1) if segment.level in (Level.S1, None) else 1.0
    q = _plan(segment, points) / taper
    side = q / (1 - 0.085 * (1 - np.clip(np.abs(u), 0, 1) ** 2))
    end = np.abs(u) / (1 - 2.4 / h * np.clip(1 - q**2, 0, 1) - segment.wedge * v)
    solid = side**14 + end**14 <= 1
    rim = (side > 1 - 2.0 / d) | (end > 1 - 2.2 / h)
    if dens:
        tip = np.hypot((points.p - 0.5)[None] / (0.4 * d), points.x / 5.5) ** 4
        tip = tip + (np.abs((points.s - segment.s + 0.75 * h)[None]) / (0.75 * h)) ** 4
        rim = np.where(solid, rim & (tip > 0.6), tip > 0.6)
        solid = solid | (tip <= 1)
    paint(tissue, points, solid, Tissue.MARROW)
    paint(tissue, points, solid & rim, Tissue.CORTEX)
    if segment.level is not None:
        vein = (v > 0.25) & (np.abs(u) < 0.05 + 0.07 * (v - 0.25)) & (np.abs(points.x) < 4 + 4 * v)
        paint(tissue, points, solid & (side < 1 - 0.4 / d) & vein, Tissue.VEIN)
        paint(labels, points, solid, 1 + segment.level.order)


def paint_ribs(segment: Segment, plane: Plane, tissue: Labels) -> None:
    """The heads of the ribs beside the thoracic discs, seen on lateral slices."""
    if segment.level is None or segment.level.region != "T":
        return
    top = segment.s - segment.height / 2
    points = plane.at((np.abs(plane.s - top) < 8) & (np.abs(plane.p - segment.depth / 2) < 22))
    out = np.abs(points.x) - segment.width / 2
    ring = np.hypot(points.s - top - 0.15 * out, (points.p - segment.depth / 2 - 0.5 * out + 3) / 1.3) / 4.6
    paint(tissue, points, (ring < 1) & (out > -2), Tissue.CORTEX)
    paint(tissue, points, (ring < 0.7) & (out > -2), Tissue.POSTERIOR_MARROW)


def _atlas(segment: Segment, plane: Plane, tissue: Labels) -> None:
    """The two arches of C1; it has no body, so it gets no label."""
    points = plane.at((np.abs(plane.s - segment.s) < 8) & (np.abs(plane.p) < 40))
    ds = (points.s - segment.s)[None]
    for p, depth in ((-9.5, 3.2), (23.0, 4.0)):
        ring = np.hypot((points.p - p)[None] / depth, ds / 5.0)
        paint(tissue, points, (ring < 1) & (np.abs(points.x) < 15), Tissue.CORTEX)
        paint(tissue, points, (ring < 0.65) & (np.abs(points.x) < 15), Tissue.POSTERIOR_MARROW)
