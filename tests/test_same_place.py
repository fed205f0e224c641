"""What one series of a pair shows is found in the other one, wherever T1 lies and however it is cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spine_fracture.geometry import PixelBox, VolumeFrame
from spine_fracture.imaging import PairedStack, Plane, Sequence, SpacingOrigin, Volume
from spine_fracture.same_place import carried, seen_in, slice_box

ROWS, COLUMNS, SLICES = 96, 64, 5
BOX = PixelBox(20.0, 30.0, 44.0, 50.0)


def _volume(sequence: Sequence, shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> Volume:
    """Sagittal: columns run to the back, rows down, slices to the left."""
    x, y, z = spacing
    matrix = np.array([[0, 0, z, 0], [x, 0, 0, 0], [0, -y, 0, 0], [0, 0, 0, 1.0]])
    return Volume(
        series_uid=f"1.2.{sequence}",
        pixels=np.zeros(shape, np.float32),
        frame=VolumeFrame(matrix, shape),
        sequence=sequence,
        plane=Plane.SAGITTAL,
        spacing_origin=SpacingOrigin.MEASURED,
        slice_uids=tuple(f"1.2.{sequence}.{index}" for index in range(shape[0])),
    )


def _pair(shift: tuple[float, float] = (0.0, 0.0), fine: int = 2) -> tuple[PairedStack, Volume, Volume]:
    """A pair whose T1 has ``fine`` times the resolution in plane and as many times the slices."""
    t2 = _volume(Sequence.T2, (SLICES, ROWS, COLUMNS), (1.0, 1.0, 4.0))
    finer = (SLICES * fine, ROWS * fine, COLUMNS * fine)
    t1 = _volume(Sequence.T1, finer, (1.0 / fine, 1.0 / fine, 4.0 / fine))
    pixels = np.zeros((SLICES, 2, ROWS, COLUMNS), np.float32)
    return PairedStack(pixels, t2, t1, residual_px=0.0, registered=True, t1_shift_px=shift), t2, t1


@given(
    shift=st.tuples(st.floats(-9, 9), st.floats(-9, 9)),
    fine=st.integers(1, 3),
    index=st.integers(0, SLICES - 1),
    corner=st.tuples(st.floats(0, 40), st.floats(0, 60)),
    size=st.tuples(st.floats(4, 20), st.floats(4, 20)),
)
def test_a_place_is_found_in_t1_and_found_back(
    shift: tuple[float, float],
    fine: int,
    index: int,
    corner: tuple[float, float],
    size: tuple[float, float],
) -> None:
    pair, t2, t1 = _pair(shift, fine)
    box = PixelBox(*corner, corner[0] + size[0], corner[1] + size[1])
    there = seen_in(pair, t2, t1, index, box)
    assert there is not None
    expected = box.shifted(-shift[0], -shift[1]).scaled(fine, fine)
    assert there[0] // fine == index
    assert there[1].as_tuple() == pytest.approx(expected.as_tuple(), abs=1e-6)
    back = seen_in(pair, t1, t2, *there)
    assert back is not None and back[0] == index
    assert back[1].as_tuple() == pytest.approx(box.as_tuple(), abs=1e-6)


def test_what_the_other_series_lacks_is_left_out() -> None:
    pair, t2, t1 = _pair((40.0, 0.0), fine=1)
    on_t2 = [slice_box(t2, 1, BOX, 0.5), slice_box(t2, 2, PixelBox(30.0, 30.0, 39.0, 50.0), 0.5)]
    (kept,) = carried(pair, t2, t1, on_t2)  # of the first a part is left, of the second nothing
    assert (kept.slice_index, kept.slice_uid) == (1, "1.2.T1.1")
    assert kept.box.as_tuple() == pytest.approx((0.0, 30.0, 4.0, 50.0))
    fewer = _volume(Sequence.T1, (2, ROWS, COLUMNS), (1.0, 1.0, 4.0))
    assert seen_in(pair, t2, fewer, 2, BOX) is None


def test_of_several_on_one_slice_the_best_is_kept() -> None:
    pair, t2, t1 = _pair()
    boxes = [slice_box(t1, index, BOX, score) for index, score in ((4, 0.9), (5, 0.4), (6, 0.3))]
    on_grid = carried(pair, t1, t2, boxes)
    assert [(one.slice_index, one.score) for one in on_grid] == [(2, 0.9), (3, 0.3)]
