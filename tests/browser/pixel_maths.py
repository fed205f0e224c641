"""From millimetres of the patient to pixels of a DICOM picture, from its header alone (PS3.3 C.7.6.2)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydicom import dcmread

Box = tuple[float, float, float, float]


def header_by_sop(folder: Path) -> dict[str, Path]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(dcmread(path, stop_before_pixels=True).SOPInstanceUID): path for path in files}


def to_pixels(world: list[list[float]], picture: Path) -> Box:
    """The box that spans these points, in corner convention: the first pixel covers [0, 1]."""
    header = dcmread(picture, stop_before_pixels=True)
    origin = np.array(header.ImagePositionPatient, float)
    across, down = np.array(header.ImageOrientationPatient, float).reshape(2, 3)
    between_rows, between_columns = (float(value) for value in header.PixelSpacing)
    offsets = np.array(world) - origin
    columns = offsets @ across / between_columns + 0.5
    rows = offsets @ down / between_rows + 0.5
    return (columns.min(), rows.min(), columns.max(), rows.max())
