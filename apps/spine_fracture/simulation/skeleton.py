"""The course of a spine and the size of its vertebrae, before any voxel is filled.

Positions are (row, column) in mm of the mid-sagittal plane, rows head to foot and columns front to
back, plus a lateral offset in mm that is positive to the patient's right. Mean sizes follow Panjabi
et al. 1991 and 1992 (cervical, thoracic, lumbar) and Busscher et al. 2010; curvature follows the
supine sagittal profile (Vialle et al. 2005).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spine_fracture.anatomy import Level, spine

FloatArray = npt.NDArray[np.float64]
STEP = 0.5  # mm between points of the centreline

# Knots over the usual spine: level, height, depth (front to back), width, disc below, tilt in degrees
# (positive: the axis runs backwards on its way down).
_KNOTS: tuple[tuple[Level, float, float, float, float, float], ...] = (
    (Level.C1, 9.0, 9.0, 30.0, 2.0, -6.0),
    (Level.C2, 21.0, 14.5, 18.0, 5.0, -5.0),
    (Level.C3, 13.0, 15.5, 19.0, 5.0, -2.0),
    (Level.C5, 12.8, 16.0, 21.0, 5.2, 6.0),
    (Level.C7, 14.3, 16.5, 25.0, 5.2, 18.0),
    (Level.T1, 16.0, 17.0, 27.0, 4.2, 22.0),
    (Level.T4, 18.0, 21.5, 26.0, 3.8, 14.0),
    (Level.T8, 20.5, 26.0, 30.0, 4.4, 0.0),
    (Level.T12, 24.0, 30.0, 39.0, 6.5, -13.0),
    (Level.L1, 25.5, 31.0, 42.0, 7.6, -13.5),
    (Level.L3, 27.0, 33.5, 45.5, 9.8, -4.0),
    (Level.L4, 27.0, 34.5, 47.5, 10.8, 6.0),
    (Level.L5, 26.5, 34.5, 49.5, 10.2, 21.0),
    (Level.S1, 27.0, 30.0, 50.0, 3.0, 44.0),
)  # fmt: skip
_WEDGE = {Level.L5: 0.09, Level.L4: 0.03, Level.T12: -0.04, Level.T11: -0.04, Level.L1: -0.04,
          Level.T8: -0.04, Level.T7: -0.05, Level.T6: -0.04}  # fmt: skip
_LOWER = ((22.0, 20.0, 40.0, 2.0, 50.0), (18.0, 15.0, 32.0, 1.5, 40.0), (15.0, 12.0, 26.0, 1.5, 18.0),
          (13.0, 10.0, 20.0, 2.5, -8.0), (11.0, 8.0, 14.0, 2.0, -35.0))  # fmt: skip


@dataclass(frozen=True, eq=False)
class Segment:
    """One vertebra (``level``) or piece of the lower sacrum (``level`` None) on the centreline.

    ``s`` is the arc length of its centre from the top; sizes in mm.
    ``degeneration`` of the disc below lies in [0, 1]; ``wedge`` is by what share of half its height a
    body is lower behind (L5) or, negative, in front (thoracic).
    """

    level: Level | None
    s: float
    height: float
    depth: float
    width: float
    disc: float
    degeneration: float
    wedge: float


@dataclass(frozen=True, eq=False)
class Skeleton:
    """``points`` (n, 2) row and column, ``tangents`` (n, 2), ``lateral`` (n,) scoliotic offset, every
    STEP mm of arc length; ``shape`` (rows, columns) of the plane that holds it with margins.
    """

    segments: tuple[Segment, ...]
    points: FloatArray
    tangents: FloatArray
    lateral: FloatArray
    shape: tuple[int, int]

    @property
    def levels(self) -> tuple[Level, ...]:
        return tuple(s.level for s in self.segments if s.level is not None)

    def segment(self, level: Level) -> Segment:
        return next(s for s in self.segments if s.level is level)


@dataclass(frozen=True)
class Build:
    """What a patient's spine is drawn from: overall ``size`` (1 is average), ``age`` in years, the
    levels from ``first`` to ``last`` (S1 brings the lower sacrum along), supernumerary vertebrae.
    """

    size: float
    age: float
    first: Level
    last: Level
    thirteen_thoracic: bool
    six_lumbar: bool


def make_skeleton(build: Build, rng: np.random.Generator) -> Skeleton:
    """A spine with the curvature, scoliosis, sizes and disc wear drawn from ``rng``."""
    segments = _segments(build, rng)
    length = sum(height + disc for _, height, _, _, disc, _ in segments)
    count = int(length / STEP)
    s = np.arange(count) * STEP
    tilt, placed = _tilts(segments, s, build, rng)
    tangents = np.stack([np.cos(tilt), np.sin(tilt)], axis=1)
    points = np.cumsum(tangents, axis=0) * STEP
    points[:, 0] += 22 - points[:, 0].min()
    points[:, 1] += 110 - points[:, 1].mean()
    bend = rng.normal(0, 2.0)
    lateral = bend * np.sin(s / length * 2 * np.pi * rng.uniform(0.7, 1.3) + rng.uniform(0, 6.28))
    rows = int(points[:, 0].max() + 24)
    columns = int(max(points[:, 1].max() + 85, 235))
    return Skeleton(placed, points, tangents, lateral, (rows, columns))


_Sized = tuple[Level | None, float, float, float, float, float]


def _segments(build: Build, rng: np.random.Generator) -> list[_Sized]:
    """Level, height, depth, width, disc, tilt (degrees) of each piece, head to foot."""
    present = spine(thirteen_thoracic=build.thirteen_thoracic, six_lumbar=build.six_lumbar)
    knots = np.array([[k[0].order, *k[1:]] for k in _KNOTS])
    region = {r: rng.normal(1.0, 0.18) for r in "CTLS"}
    scale = build.size * rng.normal(1, 0.03, 3)
    sized: list[_Sized] = []
    for level in present:
        if not build.first.order <= level.order <= build.last.order:
            continue
        usual = [float(np.interp(level.order, knots[:, 0], knots[:, i])) for i in range(1, 6)]
        own = [*(scale * rng.normal(1, 0.015, 3)), scale[0], region[level.region]]
        sized.append(_sized(level, usual, own))
    if build.last is Level.S1:
        own = [*scale, 1.0, region["S"]]
        sized += [_sized(None, piece, own) for piece in _LOWER]
    return sized


def _sized(level: Level | None, usual: Sequence[float], own: Sequence[float]) -> _Sized:
    height, depth, width, disc, tilt = (float(a * b) for a, b in zip(usual, own, strict=True))
    return level, height, depth, width, disc, tilt


def _tilts(
    sized: list[_Sized], s: FloatArray, build: Build, rng: np.random.Generator
) -> tuple[FloatArray, tuple[Segment, ...]]:
    """Tilt along the arc (constant in a body, turning in a disc) and the placed segments."""
    at, placed, knots = 0.0, [], []
    wear = np.clip((build.age - 25) / 70, 0.05, 0.9)
    for level, height, depth, width, disc, degrees in sized:
        tilt = float(np.deg2rad(degrees + rng.normal(0, 0.8)))
        degeneration = float(np.clip(rng.beta(1.5, 2.2) + wear - 0.35, 0, 1))
        thickness = disc * (1 - 0.45 * degeneration**2)
        wedge = (_WEDGE.get(level, 0.0) if level else 0.0) + float(rng.normal(0, 0.012))
        placed.append(Segment(level, at + height / 2, height, depth, width, thickness, degeneration, wedge))
        knots += [(at, tilt), (at + height, tilt)]
        at += height + thickness
    turning = np.array(knots)
    return np.interp(s, turning[:, 0], turning[:, 1]), tuple(placed)
