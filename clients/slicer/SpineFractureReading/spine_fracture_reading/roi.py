"""Between boxes in pixels of slices and Slicer's ROIs in space.

Boxes are ``(x0, y0, x1, y1)`` with the first pixel covering [0, 1]; Slicer's IJK has the centre of the
first voxel at 0. Matrices are 4 x 4 nested sequences or arrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

Box = tuple[float, float, float, float]
#: A box that moved less than this, in pixels, was not moved by a person.
UNMOVED = 0.5


@dataclass(frozen=True, eq=False)
class Roi:
    """``object_to_ras`` (4, 4): its columns are the axes of the ROI and its centre; ``size`` in mm."""

    object_to_ras: Any
    size: tuple[float, float, float]

    @property
    def centre(self) -> tuple[float, float, float]:
        x, y, z = (float(value) for value in np.asarray(self.object_to_ras)[:3, 3])
        return (x, y, z)

    def corners(self) -> Any:
        """(8, 3), RAS mm."""
        signs = np.array(np.meshgrid([-0.5, 0.5], [-0.5, 0.5], [-0.5, 0.5])).reshape(3, -1)
        matrix = np.asarray(self.object_to_ras, dtype=float)
        return (matrix[:3, :3] @ (signs * np.array(self.size)[:, None])).T + matrix[:3, 3]


def roi_of(boxes: Mapping[int, Box], ijk_to_ras: Any) -> Roi:
    """The ROI of a level from its boxes by slice: their median, as deep as the slices that have one."""
    matrix = np.asarray(ijk_to_ras, dtype=float)
    x0, y0, x1, y1 = np.median(np.array(list(boxes.values()), dtype=float), axis=0)
    first, last = min(boxes), max(boxes)
    centre = matrix @ [(x0 + x1 - 1) / 2, (y0 + y1 - 1) / 2, (first + last) / 2, 1]
    columns, rows, step = matrix[:3, 0], matrix[:3, 1], matrix[:3, 2]
    across, down = columns / np.linalg.norm(columns), rows / np.linalg.norm(rows)
    normal = np.cross(across, down)  # so that the three are a rotation
    placed = np.eye(4)
    placed[:3, :3] = np.stack([across, down, normal / np.linalg.norm(normal)], axis=1)
    placed[:3, 3] = centre[:3]
    size = (
        float((x1 - x0) * np.linalg.norm(columns)),
        float((y1 - y0) * np.linalg.norm(rows)),
        float((last - first + 1) * abs(step @ placed[:3, 2])),
    )
    return Roi(placed, size)


def box_of(roi: Roi, ijk_to_ras: Any) -> Box:
    """The smallest box on the slices of a volume that holds the ROI."""
    corners = np.column_stack([roi.corners(), np.ones(8)])
    ijk = np.linalg.solve(np.asarray(ijk_to_ras, dtype=float), corners.T)
    (x0, y0), (x1, y1) = ijk[:2].min(axis=1) + 0.5, ijk[:2].max(axis=1) + 0.5
    return (float(x0), float(y0), float(x1), float(y1))


def slice_of(roi: Roi, ijk_to_ras: Any, slices: int) -> int:
    """The slice of a volume of so many slices that the ROI's centre lies on, or the nearest one."""
    ijk = np.linalg.solve(np.asarray(ijk_to_ras, dtype=float), [*roi.centre, 1.0])
    return int(np.clip(np.floor(ijk[2] + 0.5), 0, slices - 1))


def moved(before: Roi, after: Roi, ijk_to_ras: Any) -> bool:
    """Whether a person changed the ROI as the slices show it."""
    apart = np.subtract(box_of(before, ijk_to_ras), box_of(after, ijk_to_ras))
    return bool(np.abs(apart).max() > UNMOVED)
