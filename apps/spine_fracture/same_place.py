"""Where one series of a pair shows what another one shows: its slice, and the box there."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from spine_fracture.errors import InputError
from spine_fracture.geometry import FloatArray, PixelBox
from spine_fracture.imaging import PairedStack, Sequence, Volume
from spine_fracture.levels import SliceBox


def slice_box(volume: Volume, index: int, box: PixelBox, score: float) -> SliceBox:
    uid = volume.slice_uids[index] if volume.slice_uids else ""
    return SliceBox(volume.series_uid, index, uid, box, score)


def seen_in(
    pair: PairedStack, source: Volume, target: Volume, slice_index: int, box: PixelBox
) -> tuple[int, PixelBox] | None:
    """The slice of ``target`` that shows what ``box`` on a slice of ``source`` shows, and the box there.

    Headers say where both lie, and the pair by how much T1 was found to lie elsewhere. The box may reach over
    the picture's edge. None where ``target`` has no such slice.
    """
    between = _displacement(pair, source) - _displacement(pair, target)
    corners = np.column_stack([box.corners(), np.full(4, slice_index + 0.5)])
    voxels = target.frame.to_voxel(source.frame.to_patient(corners) + between)
    index = int(np.floor(voxels[:, 2].mean()))
    return (index, PixelBox.around(voxels[:, :2])) if 0 <= index < target.frame.shape[0] else None


def carried(pair: PairedStack, source: Volume, target: Volume, boxes: Iterable[SliceBox]) -> list[SliceBox]:
    """The boxes where ``target`` shows what those on ``source`` show, each with its score, by slice.

    Slices and parts that ``target`` lacks are left out; of several that fall on one slice the best is kept.
    """
    _, rows, columns = target.frame.shape
    found: dict[int, SliceBox] = {}
    for one in sorted(boxes, key=lambda box: box.score):
        there = seen_in(pair, source, target, one.slice_index, one.box)
        if there is None:
            continue
        index, box = there
        try:
            found[index] = slice_box(target, index, box.inside(rows, columns), one.score)
        except InputError:
            continue
    return [found[index] for index in sorted(found)]


def _displacement(pair: PairedStack, volume: Volume) -> FloatArray:
    """What to add (mm) to a place as ``volume`` gives it: T1 may have been found to lie elsewhere."""
    moved = pair.other is not None and volume.sequence is Sequence.T1
    shift = (*pair.t1_shift_px, 0.0) if moved else (0.0, 0.0, 0.0)
    return np.asarray(pair.reference.frame.matrix[:3, :3] @ np.array(shift))
