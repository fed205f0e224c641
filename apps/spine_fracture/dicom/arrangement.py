"""Slices in geometric order, and the frame they make together (PS3.3 C.7.6.2.1.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spine_fracture.dicom.header import SliceHeader
from spine_fracture.errors import UnreadablePictureError
from spine_fracture.geometry import FloatArray, VolumeFrame

_SAME_DIRECTION = 1e-3
_SAME_POSITION_MM = 0.01
#: Share of the usual step by which one gap may differ: scanners round positions.
_GAP_TOLERANCE = 0.1


@dataclass(frozen=True, eq=False)
class Arrangement:
    """The slices of one series along their normal, as the file's own rows and columns run."""

    headers: tuple[SliceHeader, ...]
    frame: VolumeFrame


def arrange(headers: Sequence[SliceHeader]) -> Arrangement:
    """Sort slices by position; raises :class:`UnreadablePictureError` when they are no single even stack."""
    if not headers:
        raise UnreadablePictureError("There are no slices to read.")
    first = headers[0]
    if len({h.series_uid for h in headers}) > 1:
        raise UnreadablePictureError("The files belong to several series: read one series at a time.")
    orientations = np.stack([h.orientation for h in headers])
    if np.abs(orientations - first.orientation).max() > _SAME_DIRECTION:
        raise UnreadablePictureError(
            "The slices lie in different orientations, as in a localiser: read a series of parallel slices."
        )
    grids = {(h.rows, h.columns, *np.round(h.spacing, 4)) for h in headers}
    if len(grids) > 1:
        raise UnreadablePictureError(
            "The slices differ in matrix or pixel spacing: read a series on one grid."
        )
    normal = np.cross(first.orientation[:3], first.orientation[3:])
    heights = np.array([h.position @ normal for h in headers])
    order = np.argsort(heights, kind="stable")
    positions = np.stack([headers[i].position for i in order])
    frame = VolumeFrame.from_dicom(
        positions[0],
        first.orientation,
        first.spacing,
        _step(positions, heights[order], normal * (first.thickness or 1.0)),
        (len(headers), first.rows, first.columns),
    )
    return Arrangement(tuple(headers[i] for i in order), frame)


def _step(positions: FloatArray, heights: FloatArray, alone: FloatArray) -> FloatArray:
    """The vector in mm from one slice to the next; ``alone`` when there is one slice."""
    if len(positions) == 1:
        return alone
    gaps = np.diff(heights)
    if gaps.min() < _SAME_POSITION_MM:
        raise UnreadablePictureError(
            "Several slices lie at the same position, such as echoes, phases or copies: split the series."
        )
    usual = float(np.median(gaps))
    if np.abs(gaps - usual).max() > _GAP_TOLERANCE * usual:
        raise UnreadablePictureError(
            f"The gaps between slices are uneven ({gaps.min():.2f} to {gaps.max():.2f} mm): a slice "
            "is missing or the series holds several stacks. Export the whole series again, or split it."
        )
    return np.asarray((positions[-1] - positions[0]) / (len(positions) - 1))
