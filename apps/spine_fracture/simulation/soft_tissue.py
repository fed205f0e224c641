"""Everything that is not bone or disc: belly and chest, back, canal, and the air round the patient."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from spine_fracture.anatomy import Level
from spine_fracture.simulation.bones import CANAL_DEPTH
from spine_fracture.simulation.plane import Labels, Mask, Plane, Points, paint, profile
from spine_fracture.simulation.skeleton import FloatArray, Segment, Skeleton
from spine_fracture.simulation.textures import smooth_noise
from spine_fracture.simulation.tissues import Tissue

NO_END = 1e4


def paint_surroundings(skeleton: Skeleton, plane: Plane, tissue: Labels, rng: np.random.Generator) -> None:
    """Fill the whole volume (slices, rows, columns): soft tissue, fat, muscle, skin and air."""
    rows, columns = skeleton.shape
    depth = profile(skeleton, "depth", plane.s)
    lumps = smooth_noise((1, rows, columns), (1, 24, 20), rng)[0]
    lumps += 0.35 * smooth_noise((1, rows, columns), (1, 7, 7), rng)[0]
    kinds = np.where(lumps > 0.1, Tissue.SOFT, np.where(lumps < -0.8, Tissue.BOWEL, Tissue.FAT))
    plain = kinds.astype(np.uint8)
    margin = (
        -depth / 2
        - rng.uniform(2, 5)
        - 2.5 * np.clip(smooth_noise((1, rows, columns), (1, 40, 40), rng)[0], -1, 2)
    )
    plain[(plane.p > margin)] = Tissue.FAT
    plain[plane.p > depth / 2 - 2] = Tissue.MUSCLE
    _back(skeleton, plain, rng)
    _front(plain, rng)
    tissue[:] = plain
    _chest(skeleton, plane, tissue)
    _vessels(skeleton, plane, tissue.reshape(len(tissue), -1), rng)
    _posterior_midline(plane, tissue.reshape(len(tissue), -1), rng)
    points = plane.at(np.abs(np.abs(plane.p) - depth / 2) < 2.0)
    paint(tissue.reshape(len(tissue), -1), points, np.abs(points.x) < 12, Tissue.LIGAMENT)


def _back(skeleton: Skeleton, plain: Labels, rng: np.random.Generator) -> None:
    """Subcutaneous fat with its septa, skin, and the air behind; ``plain`` (rows, columns) in place."""
    rows, columns = plain.shape
    spine = np.interp(np.arange(rows) + 0.5, skeleton.points[:, 0], skeleton.points[:, 1])
    low = np.clip((np.arange(rows) - 0.15 * rows) / (0.6 * rows), 0, 1)
    fascia = gaussian_filter1d(spine + 50 + 14 * low, 38, mode="nearest") + rng.normal(0, 2)
    thickness = rng.uniform(8, 20) * (0.55 + 0.95 * low**1.5)
    column = np.arange(columns)[None] + 0.5
    septa = np.abs(smooth_noise((1, rows, columns), (1, 26, 7), rng)[0]) < 0.035
    plain[column > fascia[:, None]] = Tissue.FAT
    plain[(column > fascia[:, None] + 2) & septa] = Tissue.SKIN
    plain[column > (fascia + thickness)[:, None] - 1.6] = Tissue.SKIN
    plain[column > (fascia + thickness)[:, None]] = Tissue.AIR


def _front(plain: Labels, rng: np.random.Generator) -> None:
    """The wall of the belly: muscle, fat, skin, and the air in front of it."""
    rows, columns = plain.shape
    wander = 5 * smooth_noise((1, rows, 4), (1, rows / 3, 4), rng)[0][:, :1]
    inside = np.arange(columns)[None] - np.maximum(rng.uniform(8, 14) + wander, 3)
    fat = rng.uniform(6, 16)
    for depth, kind in ((fat + 7, Tissue.MUSCLE), (fat, Tissue.FAT), (1.6, Tissue.SKIN), (0.0, Tissue.AIR)):
        plain[inside < depth] = kind


def _chest(skeleton: Skeleton, plane: Plane, tissue: Labels) -> None:
    """Lung beside the thoracic bodies and the windpipe in front of the upper ones."""
    thoracic = [g for g in skeleton.segments if g.level is not None and g.level.region == "T"]
    if not thoracic:
        return
    flat = tissue.reshape(len(tissue), -1)
    first, last = thoracic[0].s, thoracic[-1].s
    depth = profile(skeleton, "depth", plane.s)
    points = plane.at((plane.s > first) & (plane.s < last) & (plane.p < depth / 2 + 12))
    half = profile(skeleton, "width", points.s) / 2
    paint(flat, points, np.abs(points.x) > half + 5 + 0.15 * np.abs(points.p), Tissue.AIR)
    bifurcation = first + 0.3 * (last - first)
    points = plane.at((plane.s < bifurcation) & (plane.p < -depth / 2 - 9) & (plane.p > -depth / 2 - 24))
    paint(flat, points, np.abs(points.x) < 8, Tissue.AIR)


def _vessels(skeleton: Skeleton, plane: Plane, tissue: Labels, rng: np.random.Generator) -> None:
    """Aorta on the left and, in the belly, the vena cava on the right: no signal where blood flows."""
    named = {g.level: g.s for g in skeleton.segments}
    upper = named.get(Level.T4, 0.0)
    diaphragm = named.get(Level.T10, 0.0)
    lower = named.get(Level.L4, NO_END)
    depth = profile(skeleton, "depth", plane.s)
    points = plane.at(
        (plane.s > upper) & (plane.s < lower) & (plane.p < -depth / 2) & (plane.p > -depth / 2 - 30)
    )
    front = -points.p - profile(skeleton, "depth", points.s) / 2
    aorta = np.hypot((front - 13) / 10, (points.x + rng.uniform(7, 17)) / 10)
    paint(tissue, points, aorta < 1.1, Tissue.SOFT)
    paint(tissue, points, aorta < 1, Tissue.FLOW)
    cava = np.hypot((front - 12) / 9, (points.x - rng.uniform(12, 18)) / 11)
    paint(tissue, points, (cava < 1) & (points.s > diaphragm), Tissue.FLOW)


def _posterior_midline(plane: Plane, tissue: Labels, rng: np.random.Generator) -> None:
    """Interspinous ligament and fat in patches between the muscles; fat planes inside the muscles."""
    points = plane.at((plane.p > 14) & (plane.p < 70))
    rows, columns = plane.p.shape
    patches = smooth_noise((1, rows, columns), (1, 5, 9), rng).ravel()[points.flat]
    grown = smooth_noise((1, rows + columns, 64), (1, 30, 2.5), rng)[0]
    streaks = grown[np.clip(points.s, 0, rows + columns - 1).astype(int), (points.p - 14).astype(int)]
    muscle = tissue[:, points.flat] == Tissue.MUSCLE
    middle = np.abs(points.x) < 4.5
    paint(tissue, points, muscle & middle & (patches > 0.1), Tissue.FAT)
    paint(tissue, points, muscle & middle & (patches < -1.2), Tissue.LIGAMENT)
    paint(tissue, points, muscle & ~middle & (streaks > 1.7), Tissue.FAT)


def paint_canal(skeleton: Skeleton, plane: Plane, tissue: Labels, rng: np.random.Generator) -> None:
    """Epidural fat, the dural sac with CSF, the cord to about L1 and the cauda equina below it."""
    middle = profile(skeleton, "depth", plane.s) / 2 + CANAL_DEPTH / 2
    points = plane.at(np.abs(plane.p - middle) < 14)
    off = points.p - profile(skeleton, "depth", points.s) / 2 - CANAL_DEPTH / 2
    paint(tissue, points, np.hypot(off / (CANAL_DEPTH / 2 + 0.5), points.x / 12.5) < 1, Tissue.EPIDURAL_FAT)
    for segment in skeleton.segments:
        paint(tissue, points, _epidural_triangle(segment, points, off), Tissue.EPIDURAL_FAT)
    end, conus = _sac_end(skeleton), _conus(skeleton)
    narrowing = np.clip((end - points.s) / 70, 0.0, 1.0) ** 0.7
    behind = 1.1 + 0.02 * np.clip(points.s - conus, 0, 120)
    sac = np.hypot((off + behind) / (7.2 * narrowing + 0.01), points.x / (9.5 * narrowing + 0.01)) < 1
    paint(tissue, points, sac, Tissue.CSF)
    taper = np.clip((conus - points.s) / 22, 0, 1) ** 0.6
    cord = np.hypot((off + 0.5) / (4.0 * taper + 0.01), points.x / (5.6 * taper + 0.01)) < 1
    paint(tissue, points, cord, Tissue.CORD)
    settle = np.clip((points.s - conus) / 60, 0, 1)
    waves = np.sin(points.x * 2.1 + rng.uniform(0, 6)) + np.sin(
        off * 2.6 + 0.03 * points.s + rng.uniform(0, 6)
    )
    strands = (waves > 1.25) & (off > -3.5 + 3.5 * settle) & (points.s > conus - 22)
    paint(tissue, points, sac & strands & ~cord, Tissue.NERVE)


def _epidural_triangle(segment: Segment, points: Points, off: FloatArray) -> Mask:
    """Fat behind the sac between two laminae."""
    at = segment.s + segment.height / 2 + segment.disc * 0.2
    reach = 1 - np.abs(points.s - at) / (0.5 * segment.height)
    behind = (off > 4) & (off < 6.5 + 6 * np.clip(reach, 0, 1)) & (reach > 0)
    return np.asarray(behind & (np.abs(points.x) < 5 + 4 * reach))


def _conus(skeleton: Skeleton) -> float:
    """Arc length where the cord ends: the lower edge of L1, or an end of a spine without L1."""
    for segment in skeleton.segments:
        if segment.level is Level.L1:
            return segment.s + segment.height / 2
    first = skeleton.levels[0]
    return 0.0 if first.order > Level.L1.order else NO_END


def _sac_end(skeleton: Skeleton) -> float:
    """Arc length where the dural sac ends, in S2."""
    sacral = [g.s for g in skeleton.segments if g.level is None]
    return sacral[0] + 12 if sacral else NO_END
