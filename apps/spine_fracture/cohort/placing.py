"""From a box that a reader drew on one slice to a level: the slices beside it, and the other sequence."""

from __future__ import annotations

import numpy as np
from sqlalchemy.orm import Session

from spine_fracture.cohort.reads import DrawnBox
from spine_fracture.cohort.studies import find_study, load_pair, read_volume
from spine_fracture.errors import InputError, NotFoundError
from spine_fracture.geometry import FloatArray, PatientBox, PixelBox
from spine_fracture.imaging import PairedStack, Sequence, Volume
from spine_fracture.levels import SliceBox

#: The slice that was drawn on is the one to open; the boxes beside it only follow from it.
_DRAWN, _BESIDE = 1.0, 0.5


def place(session: Session, study_uid: str, drawn: DrawnBox) -> tuple[PatientBox, tuple[SliceBox, ...]]:
    """The box in space (LPS mm) and in pixels of each slice: the drawn one, those beside it, and
    the slices of the pair's other series that show the same place.

    Raises :class:`InputError` for a box outside the picture or a slice that does not exist,
    :class:`NotFoundError` for a series of another study.
    """
    pair = load_pair(session, study_uid)
    volume = _volume(session, study_uid, pair, drawn.series_uid)
    middle = _slice(volume, drawn)
    slices, rows, columns = volume.frame.shape
    box = drawn.box.inside(rows, columns)
    spanned = range(max(middle - 1, 0), min(middle + 2, slices))
    scores = {index: _DRAWN if index == middle else _BESIDE for index in spanned}
    boxes = [_slice_box(volume, index, box, score) for index, score in scores.items()]
    for other in (pair.reference, pair.other):
        if other is not None and _comparable(pair, volume, other):
            boxes += carried(pair, volume, other, box, scores)
    return volume.frame.box_to_patient(box, spanned[0], spanned[-1]), tuple(boxes)


def _volume(session: Session, study_uid: str, pair: PairedStack, series_uid: str) -> Volume:
    for volume in (pair.reference, pair.other):
        if volume is not None and volume.series_uid == series_uid:
            return volume
    series = next((s for s in find_study(session, study_uid).series if s.uid == series_uid), None)
    if series is None:
        raise NotFoundError("The box lies on a series that this study does not have.")
    return read_volume(series)


def _slice(volume: Volume, drawn: DrawnBox) -> int:
    """The slice by its UID where one is given: viewers may count slices from the other side."""
    index, uids = drawn.slice_index, volume.slice_uids
    inside = 0 <= index < volume.frame.shape[0]
    if drawn.slice_uid and uids and not (inside and uids[index] == drawn.slice_uid):
        if drawn.slice_uid not in uids:
            raise NotFoundError("The box lies on a slice that this series does not have.")
        return uids.index(drawn.slice_uid)
    if not inside:
        raise InputError(f"The box lies on slice {index} of a series of {volume.frame.shape[0]} slices.")
    return index


def _comparable(pair: PairedStack, drawn: Volume, other: Volume) -> bool:
    """Whether places of one series can be found in the other; of a pair they always can."""
    if drawn in (pair.reference, pair.other):
        return drawn is not other
    return drawn.frame_of_reference_uid == other.frame_of_reference_uid


def carried(
    pair: PairedStack, drawn: Volume, other: Volume, box: PixelBox, scores: dict[int, float]
) -> list[SliceBox]:
    """The boxes where ``other`` shows what was drawn; slices and parts that it lacks are left out.

    ``scores`` are those of the slices of ``drawn`` that the box is on.
    """
    found: dict[int, SliceBox] = {}
    _, rows, columns = other.frame.shape
    between = _displacement(pair, drawn) - _displacement(pair, other)
    for index, score in sorted(scores.items(), key=lambda item: item[1]):
        corners = np.column_stack([box.corners(), np.full(4, index + 0.5)])
        voxels = other.frame.to_voxel(drawn.frame.to_patient(corners) + between)
        at = int(np.floor(voxels[:, 2].mean()))
        try:
            carried = PixelBox.around(voxels[:, :2]).inside(rows, columns)
        except InputError:
            continue
        if 0 <= at < other.frame.shape[0]:
            found[at] = _slice_box(other, at, carried, score)
    return [found[at] for at in sorted(found)]


def _displacement(pair: PairedStack, volume: Volume) -> FloatArray:
    """What to add (mm) to a place as ``volume`` gives it: T1 may have been found to lie elsewhere."""
    moved = pair.other is not None and volume.sequence is Sequence.T1
    shift = (*pair.t1_shift_px, 0.0) if moved else (0.0, 0.0, 0.0)
    return np.asarray(pair.reference.frame.matrix[:3, :3] @ np.array(shift))


def _slice_box(volume: Volume, index: int, box: PixelBox, score: float) -> SliceBox:
    uid = volume.slice_uids[index] if volume.slice_uids else ""
    return SliceBox(volume.series_uid, index, uid, box, score)
