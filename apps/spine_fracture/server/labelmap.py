"""The segmentation twin: the boxes of a study's levels as a label map, a segment for each level and class.

It exists because stock OHIF and Slicer show label maps and no boxes. A segment's value is the
same in every study, which OHIF relies on; NRRD also carries the names the way Slicer's segmentations do.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import SimpleITK

from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis, Level
from spine_fracture.errors import InputError, StorageError
from spine_fracture.geometry import VolumeFrame
from spine_fracture.levels import StudyReading
from spine_fracture.server.markups import COLOURS

EXTENSIONS = (".nii.gz", ".nii", ".nrrd", ".seg.nrrd")


def segment_name(level: Level, diagnosis: Diagnosis) -> str:
    return f"{level} {diagnosis}"


#: Every segment there can be and its value, 1 to 108: it fits the uint8 that OHIF asks for.
SEGMENTS: Mapping[str, int] = MappingProxyType(
    {
        segment_name(level, diagnosis): 1 + level.order * len(MODEL_CLASSES) + index
        for level in Level
        for index, diagnosis in enumerate(MODEL_CLASSES)
    }
)


def present_segments(reading: StudyReading) -> dict[str, int]:
    """The segments of this study by value, ascending: the order in which Slicer names them."""
    names = {segment_name(level.name, level.most_probable) for level in reading.levels}
    return dict(sorted(((n, SEGMENTS[n]) for n in names), key=lambda item: item[1]))


def draw(reading: StudyReading, series_uid: str, shape: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    """Label map (slices, rows, columns) of the boxes on series ``series_uid``; 0 is background."""
    canvas = np.zeros(shape, np.uint8)
    for level in reading.levels:
        value = SEGMENTS[segment_name(level.name, level.most_probable)]
        for on_slice in level.slices:
            if on_slice.series_uid != series_uid:
                continue
            x0, y0, x1, y1 = (max(round(v), 0) for v in on_slice.box.as_tuple())
            canvas[on_slice.slice_index, y0:y1, x0:x1] = value
    return canvas


def write_label_map(
    reading: StudyReading, series_uid: str, frame: VolumeFrame, path: Path, *, compress: bool = True
) -> None:
    """Write the twin of ``reading`` on the grid of ``series_uid``; the suffix of ``path`` says the format.

    Raises :class:`InputError` for a format that is not in :data:`EXTENSIONS` and
    :class:`StorageError` when the disk refuses.
    """
    if not path.name.endswith(EXTENSIONS):
        raise InputError(f"A label map is written as one of {', '.join(EXTENSIONS)}.")
    image: Any = SimpleITK.GetImageFromArray(draw(reading, series_uid, frame.shape))
    x, y, z = (frame.matrix[:3, axis] for axis in range(3))
    image.SetSpacing(frame.spacing)
    image.SetOrigin(frame.to_patient([[0.5, 0.5, 0.5]])[0].tolist())
    directions = np.stack([v / np.linalg.norm(v) for v in (x, y, z)], axis=1)
    image.SetDirection(directions.ravel().tolist())
    if path.name.endswith(".nrrd"):
        for key, value in _segment_fields(reading).items():
            image.SetMetaData(key, value)
    try:
        SimpleITK.WriteImage(image, str(path), useCompression=compress)
    except RuntimeError as error:
        raise StorageError(
            "The label map could not be written: free some space in the project folder."
        ) from error


def _segment_fields(reading: StudyReading) -> dict[str, str]:
    """What Slicer's .seg.nrrd says of each segment."""
    fields = {"Segmentation_ContainedRepresentationNames": "Binary labelmap|"}
    by_name = {segment_name(lv.name, lv.most_probable): lv.most_probable for lv in reading.levels}
    for index, (name, value) in enumerate(present_segments(reading).items()):
        prefix = f"Segment{index}_"
        fields |= {
            f"{prefix}ID": name.replace(" ", "_"),
            f"{prefix}Name": name,
            f"{prefix}LabelValue": str(value),
            f"{prefix}Layer": "0",
            f"{prefix}Color": " ".join(f"{c:.3f}" for c in COLOURS[by_name[name]]),
        }
    return fields
