"""From a box that a reader drew on one slice to a level: the slices beside it, and the other sequence."""

from __future__ import annotations

from sqlalchemy.orm import Session

from spine_fracture.cohort.reads import DrawnBox
from spine_fracture.cohort.studies import find_study, load_pair, read_volume
from spine_fracture.errors import InputError, NotFoundError
from spine_fracture.geometry import PatientBox
from spine_fracture.imaging import PairedStack, Volume
from spine_fracture.levels import SliceBox
from spine_fracture.same_place import carried, slice_box

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
    on_drawn = [slice_box(volume, index, box, score) for index, score in scores.items()]
    boxes = list(on_drawn)
    for other in (pair.reference, pair.other):
        if other is not None and _comparable(pair, volume, other):
            boxes += carried(pair, volume, other, on_drawn)
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
