"""Which T1 and which T2 series of a study are read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spine_fracture.dicom.scan import SeriesFiles, StudyFiles
from spine_fracture.errors import OffDomainError
from spine_fracture.geometry import VolumeFrame
from spine_fracture.imaging import Plane, Sequence

_SAMPLES = np.stack(np.meshgrid(*[np.linspace(0.05, 0.95, 7)] * 3), axis=-1).reshape(-1, 3)


@dataclass(frozen=True, eq=False)
class Choice:
    """The series to pair, at least one of them."""

    t1: SeriesFiles | None
    t2: SeriesFiles | None


def choose(study: StudyFiles) -> Choice:
    """The sagittal T1 and T2 that share most of the patient; finer pixels decide between equals.

    Two of one frame of reference go before two of different ones.
    Fat-suppressed T2 and T1 with contrast never stand in for plain ones. Raises
    :class:`OffDomainError` when there is no sagittal T1 or T2 at all.
    """
    sagittal = [s for s in study.series if s.plane is Plane.SAGITTAL]
    if not sagittal:
        planes = ", ".join(sorted({s.plane for s in study.series}))
        raise OffDomainError(f"The study has no sagittal series, only {planes}: sagittal T1 and T2 are read.")
    t1s = [s for s in sagittal if s.sequence is Sequence.T1]
    t2s = [s for s in sagittal if s.sequence is Sequence.T2]
    if not t1s and not t2s:
        found = ", ".join(sorted({s.sequence for s in sagittal}))
        raise OffDomainError(f"No sagittal series was recognised as plain T1 or T2, only {found}.")
    return _best_pair(t1s, t2s)


def _best_pair(t1s: list[SeriesFiles], t2s: list[SeriesFiles]) -> Choice:
    """T2 alone where no T1 shows anything of it."""
    overlapping = [(t1, t2) for t1 in t1s for t2 in t2s if shared_volume(t1.frame, t2.frame) > 0]
    if overlapping:
        return Choice(*max(overlapping, key=lambda pair: _merit(*pair)))
    if t2s:
        return Choice(None, max(t2s, key=_size))
    return Choice(max(t1s, key=_size), None)


def _merit(t1: SeriesFiles, t2: SeriesFiles) -> tuple[bool, int, float]:
    return (
        t1.frame_of_reference_uid == t2.frame_of_reference_uid,
        round(shared_volume(t1.frame, t2.frame)),
        -_pixel_area(t1) - _pixel_area(t2),
    )


def shared_volume(other: VolumeFrame, grid: VolumeFrame) -> float:
    """Volume in ml of the part of the grid that lies in the other."""
    points = grid.to_patient(_SAMPLES * grid.shape[::-1])
    inside = other.to_voxel(points) / other.shape[::-1]
    share = float(np.mean(((inside >= 0) & (inside <= 1)).all(axis=1)))
    return share * _millilitres(grid)


def _millilitres(frame: VolumeFrame) -> float:
    voxels = float(np.prod(frame.shape))
    return voxels * abs(float(np.linalg.det(frame.matrix[:3, :3]))) / 1000


def _pixel_area(series: SeriesFiles) -> float:
    return series.frame.spacing[0] * series.frame.spacing[1]


def _size(series: SeriesFiles) -> tuple[float, float]:
    return _millilitres(series.frame), -_pixel_area(series)
