"""Pixels of the files and pixels as shown: the same place in the patient, however a series is stored."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from dicom.made_series import AXIAL, SAGITTAL, enhanced, frame, volume, written

from spine_fracture.dicom.grid import SeriesGrid
from spine_fracture.dicom.reader import read_series
from spine_fracture.errors import NotFoundError
from spine_fracture.geometry import PixelBox

SHAPE = (5, 40, 32)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2)])
@pytest.mark.parametrize("signs", list(itertools.product((1, -1), repeat=3)))
def test_boxes_stay_in_their_place(
    tmp_path: Path, order: tuple[int, int, int], signs: tuple[int, int, int]
) -> None:
    axes = SAGITTAL[:, list(order)] * signs
    files = written(tmp_path, volume(SHAPE, where=frame(SHAPE, axes)))
    shown = read_series(files)
    grid = SeriesGrid.of_files(files)
    assert np.allclose(grid.shown.matrix, shown.frame.matrix)
    assert tuple(one.sop_uid for one in grid.slices) == shown.slice_uids
    box = PixelBox(3.25, 4.0, 20.5, 18.75)
    stored = grid.to_stored(box, 1)
    assert np.allclose(PixelBox.around(grid.to_shown(stored.corners(), 1)).as_tuple(), box.as_tuple())
    # The pixels in the box are the same ones.
    picture = read_pixels(files, grid.slices[1].sop_uid)
    here, there = (
        a[int(b.y0 + 0.5) : int(b.y1 + 0.5), int(b.x0 + 0.5) : int(b.x1 + 0.5)]
        for a, b in (
            (shown.pixels[1], PixelBox(3, 4, 20, 18)),
            (picture, grid.to_stored(PixelBox(3, 4, 20, 18), 1)),
        )
    )
    assert sorted(here.ravel()) == sorted(there.ravel())


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2)])
@pytest.mark.parametrize("signs", list(itertools.product((1, -1), repeat=3)))
def test_a_volume_is_turned_back_to_the_pixels_of_its_files(
    tmp_path: Path, order: tuple[int, int, int], signs: tuple[int, int, int]
) -> None:
    files = written(tmp_path, volume(SHAPE, where=frame(SHAPE, SAGITTAL[:, list(order)] * signs)))
    shown, grid = read_series(files), SeriesGrid.of_files(files)
    stored = grid.as_stored(shown)
    assert stored.slice_uids == shown.slice_uids
    for index, uid in enumerate(stored.slice_uids):
        assert np.array_equal(stored.pixels[index], read_pixels(files, uid))
    box = PixelBox(3.25, 4.0, 20.5, 18.75)
    here, there = (
        f.box_to_patient(b, 1, 2).centre
        for f, b in ((shown.frame, box), (stored.frame, grid.to_stored(box, 1)))
    )
    assert np.allclose(here, there)


def test_a_volume_that_is_not_sagittal_is_as_it_was(tmp_path: Path) -> None:
    files = written(tmp_path, volume(SHAPE, where=frame(SHAPE, AXIAL)))
    shown = read_series(files)
    assert SeriesGrid.of_files(files).as_stored(shown) is shown


def read_pixels(files: tuple[Path, ...], sop_uid: str) -> np.ndarray:
    from pydicom import dcmread

    return next(ds.pixel_array for ds in map(dcmread, files) if ds.SOPInstanceUID == sop_uid)


def test_frames_of_one_file_are_told_apart(tmp_path: Path) -> None:
    path = enhanced(written(tmp_path / "single", volume()), tmp_path / "all.dcm", order=[2, 0, 4, 1, 3])
    grid = SeriesGrid.of_files([path])
    uid = grid.slices[0].sop_uid
    assert [grid.index_of(uid, one.frame) for one in grid.slices] == [0, 1, 2, 3, 4]
    assert {one.frame for one in grid.slices} == {1, 2, 3, 4, 5}


def test_a_picture_of_another_series_is_not_on_the_grid(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        SeriesGrid.of_files(written(tmp_path)).index_of("1.2.3")
