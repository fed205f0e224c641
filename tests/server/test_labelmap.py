"""The segmentation twin."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from server.studies import LEVELS, SHAPE, boxes, frame, reading, volume

from spine_fracture.anatomy import MODEL_CLASSES, Level
from spine_fracture.errors import InputError, StorageError
from spine_fracture.imaging import Sequence
from spine_fracture.server.labelmap import EXTENSIONS, SEGMENTS, draw, present_segments, write_label_map

VOLUME = volume("a", Sequence.T2)
READING = reading(VOLUME, "1.2")


def test_every_level_and_class_has_a_value_of_its_own_that_fits_a_byte() -> None:
    assert len(SEGMENTS) == len(Level) * len(MODEL_CLASSES) == len(set(SEGMENTS.values()))
    assert min(SEGMENTS.values()) == 1
    assert max(SEGMENTS.values()) <= 255


def test_boxes_are_filled_on_their_slices_alone() -> None:
    drawn = draw(READING, VOLUME.series_uid, SHAPE)
    x0, y0, x1, y1 = (int(v) for v in boxes()[1].as_tuple())
    value = SEGMENTS["L2 benign_fracture"]
    assert (drawn[2, y0:y1, x0:x1] == value).all()
    assert (drawn == value).sum() == 3 * (x1 - x0) * (y1 - y0)
    assert not drawn[0].any()
    assert not draw(READING, "another series", SHAPE).any()


def test_segments_of_a_study_come_in_the_order_of_their_values() -> None:
    found = present_segments(READING)
    assert list(found) == ["L1 normal", "L2 benign_fracture", "L3 malignant", "L4 hemangioma", "L5 normal"]
    assert list(found.values()) == sorted(found.values())


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_every_format_lies_where_the_picture_lies(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"levels{extension}"
    write_label_map(READING, VOLUME.series_uid, frame(), path)
    found = SimpleITK.ReadImage(str(path))
    assert found.GetPixelIDValue() == SimpleITK.sitkUInt8
    assert np.array_equal(SimpleITK.GetArrayFromImage(found), draw(READING, VOLUME.series_uid, SHAPE))
    at = found.TransformContinuousIndexToPhysicalPoint((31.5, 10.5, 2.0))
    assert np.allclose(at, frame().to_patient([[32.0, 11.0, 2.5]])[0], atol=1e-3)


def test_nifti_and_affine_agree(tmp_path: Path) -> None:
    write_label_map(READING, VOLUME.series_uid, frame(), tmp_path / "levels.nii.gz")
    assert np.allclose(nib.load(tmp_path / "levels.nii.gz").affine, frame().to_nifti_affine(), atol=1e-4)


def test_nrrd_names_its_segments(tmp_path: Path) -> None:
    path = tmp_path / "levels.seg.nrrd"
    write_label_map(READING, VOLUME.series_uid, frame(), path, compress=False)
    found = SimpleITK.ReadImage(str(path))
    names = [found.GetMetaData(f"Segment{index}_Name") for index in range(len(LEVELS))]
    assert names == list(present_segments(READING))
    assert b"encoding: raw" in path.read_bytes()[:1000]


def test_a_box_that_leaves_the_picture_is_cut() -> None:
    level = READING.levels[0]
    moved = replace(level, slices=tuple(replace(s, box=s.box.shifted(-30, -10)) for s in level.slices))
    drawn = draw(replace(READING, levels=(moved,)), VOLUME.series_uid, SHAPE)
    assert (drawn[2] > 0).sum() == 14 * 8


def test_other_formats_and_a_closed_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="written as one of"):
        write_label_map(READING, VOLUME.series_uid, frame(), tmp_path / "levels.png")
    with pytest.raises(StorageError, match="free some space"):
        write_label_map(READING, VOLUME.series_uid, frame(), tmp_path / "nowhere" / "levels.nrrd")
