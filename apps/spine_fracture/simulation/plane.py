"""Spine coordinates of a volume, and painting in them.

Volumes have shape (slices, rows, columns): slices run from the patient's left to the right, rows
head to foot, columns front to back, 1 mm each. Every point has spine coordinates in mm: ``s`` along
the centreline from the top, ``p`` backwards from it, ``x`` to the patient's right of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from spine_fracture.simulation.skeleton import STEP, FloatArray, Skeleton
from spine_fracture.simulation.textures import smooth_noise

Labels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
SLAB = 76  # mm, left to right
_ROUGHNESS = 0.35  # mm, deviation of every outline from its formula


@dataclass(frozen=True, eq=False)
class Points:
    """Chosen columns of the slab: ``flat`` index in the plane, ``s``, ``p`` (n,), ``x`` (slices, n)."""

    flat: npt.NDArray[np.intp]
    s: FloatArray
    p: FloatArray
    x: FloatArray


@dataclass(frozen=True, eq=False)
class Plane:
    """Spine coordinates of the mid-sagittal plane: ``s`` and ``p`` (rows, columns), ``lateral`` (rows,
    columns) the scoliotic offset, and ``x`` (slices,) mm to the right of the middle of the slab.
    """

    s: FloatArray
    p: FloatArray
    lateral: FloatArray
    x: FloatArray

    def at(self, where: Mask) -> Points:
        """The columns of the slab where ``where`` (rows, columns)."""
        flat = np.flatnonzero(where)
        across = self.x[:, None] - self.lateral.ravel()[flat][None]
        return Points(flat, self.s.ravel()[flat], self.p.ravel()[flat], across)


def make_plane(skeleton: Skeleton, rng: np.random.Generator) -> Plane:
    """Coordinates from the nearest point of the centreline, slightly rough so that edges look grown."""
    rows, columns = skeleton.shape
    grid = np.mgrid[0:rows, 0:columns].reshape(2, -1).T + 0.5
    _, nearest = cKDTree(skeleton.points).query(grid)
    offset = grid - skeleton.points[nearest]
    tangent = skeleton.tangents[nearest]
    along = (offset * tangent).sum(axis=1)
    across = offset[:, 1] * tangent[:, 0] - offset[:, 0] * tangent[:, 1]
    rough = _ROUGHNESS * smooth_noise((2, rows, columns), (1, 5, 5), rng)
    return Plane(
        (nearest * STEP + along).reshape(rows, columns) + rough[0],
        across.reshape(rows, columns) + rough[1],
        skeleton.lateral[nearest].reshape(rows, columns),
        np.arange(SLAB) + 0.5 - SLAB / 2,
    )


def profile(skeleton: Skeleton, value: str, s: FloatArray) -> FloatArray:
    """A size of the segments (``depth``, ``width``) interpolated along the spine."""
    return np.interp(s, [g.s for g in skeleton.segments], [getattr(g, value) for g in skeleton.segments])


def paint(volume: Labels, points: Points, where: Mask, value: int) -> None:
    """Write ``value`` where ``where`` (slices, n) or (n,) into a volume (slices, rows x columns)."""
    block = volume[:, points.flat]
    block[np.broadcast_to(where, block.shape)] = value
    volume[:, points.flat] = block
