"""The plane of a stack, and the display order of a sagittal one."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from spine_fracture.geometry import FloatArray, VolumeFrame
from spine_fracture.imaging import Plane

_PLANES = (Plane.SAGITTAL, Plane.CORONAL, Plane.AXIAL)
#: Above this tilt (degrees) from the nearest body plane a stack has no plane of its own.
_GREATEST_TILT = 35.0
#: Display order of a sagittal stack in LPS: columns run front to back, rows head to foot and slices
#: left to right, which makes a right-handed frame.
_SAGITTAL_AXES = np.array([[0.0, 0.0, -1.0], [1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


def plane_of(frame: VolumeFrame) -> Plane:
    """The body plane nearest to the slices, ``UNKNOWN`` when they are tilted too far from each."""
    normal = np.abs(frame.axes[:, 2])
    nearest = int(normal.argmax())
    return _PLANES[nearest] if normal[nearest] >= np.cos(np.radians(_GREATEST_TILT)) else Plane.UNKNOWN


def sagittal_frame(shape: tuple[int, int, int]) -> VolumeFrame:
    """A frame in display order that counts pixels instead of millimetres."""
    matrix = np.eye(4)
    matrix[:3, :3] = _SAGITTAL_AXES
    return VolumeFrame(matrix, shape)


def display_axes(
    frame: VolumeFrame, slice_axis: int = 2
) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """Which voxel axis (0 = x, 1 = y, 2 = z) becomes x, y and z of the display order, and which are reversed.

    ``slice_axis`` becomes z; it should run across the body.
    """
    linear = frame.matrix[:3, :3]
    along = (linear / np.linalg.norm(linear, axis=0)).T @ _SAGITTAL_AXES  # cosines: voxel axis, display axis
    first, second = (axis for axis in range(3) if axis != slice_axis)
    kept = abs(along[first, 0]) + abs(along[second, 1])
    swapped = abs(along[second, 0]) + abs(along[first, 1])
    order = (first, second, slice_axis) if kept >= swapped else (second, first, slice_axis)
    reverse = tuple(bool(along[axis, display] < 0) for display, axis in enumerate(order))
    return order, (reverse[0], reverse[1], reverse[2])


def reorder(
    pixels: npt.NDArray[Any],
    frame: VolumeFrame,
    order: tuple[int, int, int],
    reverse: tuple[bool, bool, bool],
) -> tuple[npt.NDArray[Any], VolumeFrame]:
    """``pixels`` (slices, rows, columns) with its voxel axes permuted and reversed, and the frame that fits.

    A voxel stays where it is in the patient. The array is a view.
    """
    moved = pixels.transpose(tuple(2 - axis for axis in reversed(order)))
    moved = moved[tuple(slice(None, None, -1 if flip else 1) for flip in reversed(reverse))]
    extent = np.array(frame.shape[::-1], dtype=np.float64)[list(order)]
    matrix: FloatArray = np.eye(4)
    linear = frame.matrix[:3, :3][:, list(order)]
    signs = np.where(reverse, -1.0, 1.0)
    matrix[:3, :3] = linear * signs
    matrix[:3, 3] = frame.matrix[:3, 3] + linear @ np.where(reverse, extent, 0.0)
    slices, rows, columns = moved.shape
    return moved, VolumeFrame(matrix, (slices, rows, columns))
