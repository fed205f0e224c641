"""Boxes and frames: pixels of a slice, millimetres of a patient, and the way between them.

Conventions, held everywhere:

* A pixel position is ``(x, y)`` = (column, row), continuous, with the picture spanning
  ``[0, columns] x [0, rows]``; pixel ``(i, j)`` covers ``[i, i+1] x [j, j+1]`` and its centre is
  at ``(i + 0.5, j + 0.5)``.
* A voxel position is ``(x, y, z)`` with ``z`` continuous likewise: slice ``k`` covers ``[k, k+1]``.
* A patient position is ``(x, y, z)`` in millimetres in DICOM's LPS axes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from spine_fracture.errors import InputError

FloatArray = npt.NDArray[np.float64]
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class PixelBox:
    """An axis-aligned box on one slice: ``x0 < x1`` along columns, ``y0 < y1`` along rows."""

    x0: float
    y0: float
    x1: float
    y1: float

    def __post_init__(self) -> None:
        if not np.isfinite([self.x0, self.y0, self.x1, self.y1]).all():
            raise InputError(f"A box needs four finite numbers, got {self.as_tuple()}.")
        if not (self.x0 < self.x1 and self.y0 < self.y1):
            raise InputError(f"A box needs x0 < x1 and y0 < y1, got {self.as_tuple()}: draw it with an area.")

    @classmethod
    def around(cls, points: npt.ArrayLike) -> Self:
        """The smallest box round points of shape (n, 2), (x, y) each."""
        xy = np.asarray(points, dtype=np.float64)
        return cls(*(float(v) for v in (*xy.min(axis=0), *xy.max(axis=0))))

    def as_tuple(self) -> tuple[float, float, float, float]:
        """``(x0, y0, x1, y1)``."""
        return (self.x0, self.y0, self.x1, self.y1)

    @property
    def width(self) -> float:
        return self.x1 - self.x0

    @property
    def height(self) -> float:
        return self.y1 - self.y0

    @property
    def area(self) -> float:
        return self.width * self.height

    @property
    def centre(self) -> tuple[float, float]:
        return ((self.x0 + self.x1) / 2, (self.y0 + self.y1) / 2)

    def corners(self) -> FloatArray:
        """Shape (4, 2): top left, top right, bottom right, bottom left."""
        return np.array([[self.x0, self.y0], [self.x1, self.y0], [self.x1, self.y1], [self.x0, self.y1]])

    def shifted(self, dx: float, dy: float) -> PixelBox:
        return PixelBox(self.x0 + dx, self.y0 + dy, self.x1 + dx, self.y1 + dy)

    def scaled(self, sx: float, sy: float) -> PixelBox:
        """The same box after the picture is resampled by ``sx`` along columns, ``sy`` along rows."""
        return PixelBox(self.x0 * sx, self.y0 * sy, self.x1 * sx, self.y1 * sy)

    def square(self, margin: float) -> PixelBox:
        """The concentric square whose side is the longer side times ``margin``."""
        half = max(self.width, self.height) * margin / 2
        cx, cy = self.centre
        return PixelBox(cx - half, cy - half, cx + half, cy + half)

    def iou(self, other: PixelBox) -> float:
        """Intersection over union, in [0, 1]."""
        width = min(self.x1, other.x1) - max(self.x0, other.x0)
        height = min(self.y1, other.y1) - max(self.y0, other.y0)
        if width <= 0 or height <= 0:
            return 0.0
        shared = width * height
        return shared / (self.area + other.area - shared)

    def inside(self, rows: int, columns: int) -> PixelBox:
        """The part within a picture; raises :class:`InputError` when nothing is."""
        x0, x1 = max(self.x0, 0.0), min(self.x1, float(columns))
        y0, y1 = max(self.y0, 0.0), min(self.y1, float(rows))
        if x0 >= x1 or y0 >= y1:
            raise InputError(
                f"The box {self.as_tuple()} lies outside the picture of {columns} columns and {rows} rows."
            )
        return PixelBox(x0, y0, x1, y1)


@dataclass(frozen=True, eq=False)
class PatientBox:
    """A box in space, turned as the pictures are: LPS millimetres.

    ``axes`` has shape (3, 3); its columns are the unit vectors along picture columns (x), rows (y)
    and slices (z). ``size`` is the full extent along each.
    """

    centre: FloatArray
    size: FloatArray
    axes: FloatArray

    def __post_init__(self) -> None:
        for name, shape in (("centre", (3,)), ("size", (3,)), ("axes", (3, 3))):
            value = np.asarray(getattr(self, name), dtype=np.float64)
            if value.shape != shape or not np.isfinite(value).all():
                raise InputError(f"A patient box needs finite {name} of shape {shape}, got {value!r}.")
            object.__setattr__(self, name, value)
        if (self.size <= 0).any():
            raise InputError(f"A patient box needs a positive size, got {self.size}.")
        if not np.allclose(self.axes.T @ self.axes, np.eye(3), atol=1e-4):
            raise InputError("The axes of a patient box must be three orthogonal unit vectors.")

    def corners(self) -> FloatArray:
        """Shape (8, 3), LPS mm."""
        signs = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1], indexing="ij")).reshape(3, -1).T
        return np.asarray(self.centre + (signs * self.size / 2) @ self.axes.T)

    def in_plane_mm(self, point: FloatArray) -> float:
        """Millimetres from the centre to a point (3,) of LPS, along the pictures: slices do not count."""
        away = self.axes.T @ (point - self.centre)
        return float(np.hypot(away[0], away[1]))


@dataclass(frozen=True, eq=False)
class VolumeFrame:
    """Where the voxels of a stack of parallel, evenly spaced slices lie in the patient.

    ``matrix`` (4, 4) takes voxel positions (x, y, z, 1) to LPS millimetres, half-voxel convention
    of the module: the centre of the first voxel is ``matrix @ (0.5, 0.5, 0.5, 1)``.
    ``shape`` is (slices, rows, columns).
    """

    matrix: FloatArray
    shape: tuple[int, int, int]

    def __post_init__(self) -> None:
        matrix = np.asarray(self.matrix, dtype=np.float64)
        if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
            raise InputError("A frame needs a finite 4 x 4 matrix.")
        if abs(np.linalg.det(matrix[:3, :3])) < 1e-12:
            raise InputError(
                "The frame's matrix is singular: check the spacing and orientation of the series."
            )
        object.__setattr__(self, "matrix", matrix)

    @classmethod
    def from_dicom(
        cls,
        position: npt.ArrayLike,
        orientation: npt.ArrayLike,
        spacing: npt.ArrayLike,
        slice_step: npt.ArrayLike,
        shape: tuple[int, int, int],
    ) -> Self:
        """From the attributes of a sorted series (PS3.3 C.7.6.2.1.1).

        ``position`` Image Position of the first slice; ``orientation`` the six direction cosines;
        ``spacing`` (row spacing, column spacing); ``slice_step`` vector in mm from one slice to
        the next; ``shape`` (slices, rows, columns).
        """
        cosines = np.asarray(orientation, dtype=np.float64)
        row_spacing, column_spacing = np.asarray(spacing, dtype=np.float64)
        linear = np.stack(
            [
                cosines[:3] * column_spacing,
                cosines[3:] * row_spacing,
                np.asarray(slice_step, dtype=np.float64),
            ],
            axis=1,
        )
        return cls(_with_first_centre(linear, np.asarray(position, dtype=np.float64)), shape)

    @classmethod
    def from_nifti(cls, affine: npt.ArrayLike, shape: tuple[int, int, int]) -> Self:
        """From a NIfTI affine (RAS, voxel centres at integers) of an array indexed (x, y, z).

        ``shape`` is still (slices, rows, columns), that is the array's shape reversed.
        """
        lps: FloatArray = np.matmul(_RAS_TO_LPS, np.asarray(affine, dtype=np.float64), dtype=np.float64)
        return cls(_with_first_centre(lps[:3, :3], lps[:3, 3]), shape)

    def to_nifti_affine(self) -> FloatArray:
        """The RAS affine of an array indexed (x, y, z), voxel centres at integers."""
        lps = self.matrix.copy()
        lps[:3, 3] = self.to_patient(np.array([[0.5, 0.5, 0.5]]))[0]
        return np.asarray(_RAS_TO_LPS @ lps)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Millimetres between columns (x), rows (y) and slices (z)."""
        x, y, z = np.linalg.norm(self.matrix[:3, :3], axis=0)
        return (float(x), float(y), float(z))

    @property
    def axes(self) -> FloatArray:
        """(3, 3): unit vectors along x, y and the slice normal (orthogonal, right- or left-handed)."""
        x = self.matrix[:3, 0] / np.linalg.norm(self.matrix[:3, 0])
        y = self.matrix[:3, 1] / np.linalg.norm(self.matrix[:3, 1])
        normal = np.cross(x, y)
        if normal @ self.matrix[:3, 2] < 0:
            normal = -normal
        return np.stack([x, y, normal / np.linalg.norm(normal)], axis=1)

    def to_patient(self, voxels: npt.ArrayLike) -> FloatArray:
        """Voxel positions (n, 3) to LPS mm (n, 3)."""
        points = np.atleast_2d(np.asarray(voxels, dtype=np.float64))
        return np.asarray(points @ self.matrix[:3, :3].T + self.matrix[:3, 3])

    def to_voxel(self, points: npt.ArrayLike) -> FloatArray:
        """LPS mm (n, 3) to voxel positions (n, 3)."""
        patient = np.atleast_2d(np.asarray(points, dtype=np.float64))
        return np.asarray(np.linalg.solve(self.matrix[:3, :3], (patient - self.matrix[:3, 3]).T).T)

    def box_to_patient(self, box: PixelBox, first_slice: int, last_slice: int) -> PatientBox:
        """The box drawn on slices ``first_slice..last_slice`` (inclusive) as a box in space."""
        if not 0 <= first_slice <= last_slice < self.shape[0]:
            raise InputError(f"Slices {first_slice} to {last_slice} are not in a series of {self.shape[0]}.")
        cx, cy = box.centre
        depth = last_slice - first_slice + 1
        centre = self.to_patient([[cx, cy, first_slice + depth / 2]])[0]
        sx, sy, _ = self.spacing
        thickness = depth * abs(float(self.matrix[:3, 2] @ self.axes[:, 2]))
        return PatientBox(centre, np.array([box.width * sx, box.height * sy, thickness]), self.axes)

    def box_to_pixel(self, box: PatientBox) -> tuple[PixelBox, int, int]:
        """The smallest pixel box holding ``box`` on this stack, with its first and last slice.

        The slices are those whose centre lies in the box, at least the nearest one, kept within
        the stack. Inverse of :meth:`box_to_patient` on the same frame, and exact where the step from slice to
        slice runs along their normal; elsewhere the pixel box is wider, to hold the box on all its slices.
        """
        corners = self.to_voxel(box.corners())
        flat = PixelBox.around(corners[:, :2])
        low, high = corners[:, 2].min(), corners[:, 2].max()
        first = int(np.ceil(low - 0.5 - 1e-6))
        last = int(np.floor(high - 0.5 + 1e-6))
        if last < first:
            first = last = int(np.floor((low + high) / 2))
        top = self.shape[0] - 1
        return flat, int(np.clip(first, 0, top)), int(np.clip(last, 0, top))


def _with_first_centre(linear: FloatArray, first_centre: FloatArray) -> FloatArray:
    """A matrix in the half-voxel convention from its linear part and the first voxel's centre."""
    matrix = np.eye(4)
    matrix[:3, :3] = linear
    matrix[:3, 3] = first_centre - linear @ np.full(3, 0.5)
    return matrix
