"""Pixels as a series stores them, and as we show them: a sagittal series may be turned for reading.

Boxes of the catalogue are in pixels of :func:`~spine_fracture.dicom.reader.read_series`. What other
programs draw on, and what reports speak of, are the pixels in the files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spine_fracture.dicom.arrangement import arrange
from spine_fracture.dicom.header import read_headers
from spine_fracture.dicom.orientation import display_axes, plane_of, reorder
from spine_fracture.errors import NotFoundError
from spine_fracture.geometry import FloatArray, PixelBox, VolumeFrame
from spine_fracture.imaging import Plane, Volume


@dataclass(frozen=True)
class StoredSlice:
    """A slice in its file; ``frame`` counts from 1."""

    sop_uid: str
    frame: int = 1


@dataclass(frozen=True, eq=False)
class SeriesGrid:
    """``shown`` and ``stored`` frames of one series; ``slices`` in the order of ``shown``.

    ``backwards``: the first slice as stored, by position along the normal, is shown last.
    """

    shown: VolumeFrame
    stored: VolumeFrame
    slices: tuple[StoredSlice, ...]
    backwards: bool

    @classmethod
    def of_files(cls, files: Iterable[Path]) -> SeriesGrid:
        """From the headers of a series' files, pixels not read. Raises as :func:`read_headers` does."""
        stack = arrange([header for path in files for header in read_headers(path)])
        shown, slices = stack.frame, tuple(StoredSlice(h.sop_uid, h.frame + 1) for h in stack.headers)
        backwards = False
        if plane_of(shown) is Plane.SAGITTAL:
            order, reverse = display_axes(shown)
            _, shown = reorder(np.empty(shown.shape, dtype=np.bool_), shown, order, reverse)
            backwards = reverse[2]
        return cls(shown, stack.frame, slices[::-1] if backwards else slices, backwards)

    def index_of(self, sop_uid: str, frame: int = 1) -> int:
        """Which slice, as shown, a picture is; raises :class:`NotFoundError` when it is none of them."""
        found = [i for i, one in enumerate(self.slices) if one.sop_uid == sop_uid]
        if len(found) == 1:
            return found[0]
        try:
            return self.slices.index(StoredSlice(sop_uid, frame))
        except ValueError:
            raise NotFoundError("The picture is not one of this series.") from None

    def to_stored(self, box: PixelBox, index: int) -> PixelBox:
        """A box drawn on shown slice ``index``, in pixels of its file."""
        return PixelBox.around(_moved(box.corners(), index, self.shown, self.stored))

    def to_shown(self, points: npt.ArrayLike, index: int) -> FloatArray:
        """Points (n, 2) in pixels of the file of shown slice ``index``, as shown."""
        return _moved(np.asarray(points, dtype=np.float64), self._at(index), self.stored, self.shown)

    def as_stored(self, volume: Volume) -> Volume:
        """The series as read, its rows and columns as in the files again; its slices stay in their order.

        :meth:`to_stored` speaks of the pixels of its slices.
        """
        if plane_of(self.stored) is not Plane.SAGITTAL:
            return volume
        # Within the slices at most two axes change places, which undoes itself.
        order, reverse = display_axes(self.stored)
        back = (reverse[order[0]], reverse[order[1]], False)
        pixels, frame = reorder(volume.pixels, volume.frame, order, back)
        return replace(volume, pixels=np.ascontiguousarray(pixels), frame=frame)

    def _at(self, index: int) -> int:
        """Where shown slice ``index`` comes in stored order."""
        return len(self.slices) - 1 - index if self.backwards else index


def _moved(points: FloatArray, index: int, old: VolumeFrame, new: VolumeFrame) -> FloatArray:
    """Points (n, 2) on slice ``index`` of ``old``, in pixels of ``new``."""
    if np.array_equal(old.matrix, new.matrix):
        return points
    depth = np.full((len(points), 1), index + 0.5)
    moved = new.to_voxel(old.to_patient(np.hstack([points, depth])))
    return np.asarray(np.round(moved[:, :2], 9))
