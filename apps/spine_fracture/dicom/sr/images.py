"""The pictures that a report speaks of: their headers, fit to take patient and study from."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset

from spine_fracture.errors import InputError

#: What a report takes over from its pictures. Old files leave out what may be empty.
_TAKEN_OVER = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID",
    "StudyDate", "StudyTime", "ReferringPhysicianName",
)  # fmt: skip
_SEXES = ("M", "F", "O", "")
#: What the image library says of a slice of MR; a file that lacks one is listed without its geometry.
_GEOMETRY = (
    "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient", "SpacingBetweenSlices",
    "SliceThickness",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class SourceImage:
    """The header of one picture, with every attribute that a report copies."""

    header: Dataset

    @property
    def sop_uid(self) -> str:
        return str(self.header.SOPInstanceUID)

    @property
    def sop_class_uid(self) -> str:
        return str(self.header.SOPClassUID)

    @property
    def frames(self) -> int:
        return int(self.header.get("NumberOfFrames", None) or 1)


def open_images(files: Iterable[Path]) -> tuple[SourceImage, ...]:
    """The headers of the pictures in ``files``.

    Raises :class:`InputError` when one cannot be read: its text names no file.
    """
    return tuple(SourceImage(_completed(_header(path))) for path in files)


def _header(path: Path) -> Dataset:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return dcmread(path, stop_before_pixels=True)
    except Exception:  # pydicom has no common error for a damaged file
        raise InputError(
            "A picture that the report speaks of cannot be opened: put its file back, or ingest its "
            "folder again."
        ) from None


def _completed(header: Dataset) -> Dataset:
    for name in _TAKEN_OVER:
        if header.get(name) is None:
            setattr(header, name, "")
    if header.PatientSex not in _SEXES:
        header.PatientSex = ""
    if header.get("SpacingBetweenSlices") is None and header.get("SliceThickness") is not None:
        header.SpacingBetweenSlices = header.SliceThickness
    if any(header.get(name) is None for name in _GEOMETRY):
        # highdicom describes what it calls MR by these attributes and fails without them.
        header.Modality = "OT"
    return header
