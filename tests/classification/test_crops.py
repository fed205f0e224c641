"""Crops: where they are cut, what neighbours they hold, and how signal is made comparable."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spine_fracture.classification.crops import (
    SignalReference,
    level_crops,
    middle,
    signal_reference,
    standardise,
    without_sequence,
)
from spine_fracture.errors import InputError
from spine_fracture.geometry import PixelBox


def ramp(slices: int = 3, rows: int = 60, columns: int = 80) -> np.ndarray:
    """Signal that tells its own place: T1 the column, T2 the row, plus 1000 a slice."""
    column, row = np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
    picture = np.stack([column, row])[None].repeat(slices, axis=0)
    return (picture + 1000 * np.arange(slices)[:, None, None, None]).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(
    x=st.floats(25, 50),
    y=st.floats(25, 35),
    width=st.floats(4, 20),
    height=st.floats(4, 20),
    margin=st.floats(1.0, 1.4),
    size=st.integers(8, 40),
)
def test_a_crop_shows_the_square_about_the_box(
    x: float, y: float, width: float, height: float, margin: float, size: int
) -> None:
    box = PixelBox(x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    crop = level_crops(ramp(), [(1, box)], size, margin)[0]
    side = max(width, height) * margin
    across = x - side / 2 + (np.arange(size) + 0.5) * side / size
    along = y - side / 2 + (np.arange(size) + 0.5) * side / size
    np.testing.assert_allclose(crop[1], np.broadcast_to(1000 + across, (size, size)), atol=1e-2)
    np.testing.assert_allclose(crop[4], np.broadcast_to(1000 + along[:, None], (size, size)), atol=1e-2)


@pytest.mark.parametrize(("index", "slices"), [(0, (0, 0, 1)), (1, (0, 1, 2)), (2, (1, 2, 2))])
def test_a_missing_neighbour_is_the_slice_itself(index: int, slices: tuple[int, int, int]) -> None:
    crop = level_crops(ramp(), [(index, PixelBox(30, 20, 50, 40))], 16)[0]
    assert tuple(np.round((crop[:3].mean(axis=(1, 2)) - 40) / 1000).astype(int)) == slices
    assert tuple(np.round((crop[3:].mean(axis=(1, 2)) - 30) / 1000).astype(int)) == slices


def test_what_lies_outside_the_picture_is_zero() -> None:
    crop = level_crops(np.ones((1, 2, 40, 40), np.float32), [(0, PixelBox(-20, 10, 20, 30))], 40)[0]
    assert (crop[:, :, :18] == 0).all()
    assert (crop[:, 10:30, 22:] == 1).all()


def test_no_boxes_no_crops() -> None:
    assert level_crops(ramp(), [], 16).shape == (0, 6, 16, 16)


@pytest.mark.parametrize("index", [-1, 3])
def test_a_box_on_a_slice_that_is_not_there_is_refused(index: int) -> None:
    with pytest.raises(InputError, match="slice"):
        level_crops(ramp(), [(index, PixelBox(1, 1, 9, 9))], 16)


def test_pixels_without_both_sequences_are_refused() -> None:
    with pytest.raises(InputError, match="shape"):
        level_crops(ramp()[:, :1], [(0, PixelBox(1, 1, 9, 9))], 16)


def test_a_dark_body_stays_darker_than_its_neighbours() -> None:
    crops = np.full((5, 6, 32, 32), 0.5, np.float32)
    crops[:, :, ::2] += 0.1
    crops[4, :3] -= 0.3
    reference = signal_reference(crops, 1.35)
    standard = standardise(crops, reference)
    assert standard[4, 1].mean() < standard[0, 1].mean() - 3
    assert standard[4, 4].mean() == pytest.approx(standard[0, 4].mean())


@settings(max_examples=20, deadline=None)
@given(gain=st.floats(0.1, 5), offset=st.floats(0, 1))
def test_scanner_units_do_not_matter(gain: float, offset: float) -> None:
    crops = np.random.default_rng(1).random((4, 6, 24, 24), dtype=np.float32)
    other = (crops * gain + offset).astype(np.float32)
    plain = standardise(crops, signal_reference(crops, 1.35))
    moved = standardise(other, signal_reference(other, 1.35))
    np.testing.assert_allclose(plain, moved, atol=2e-3)


def test_a_missing_sequence_stays_zero() -> None:
    crops = np.random.default_rng(1).random((4, 6, 24, 24), dtype=np.float32)
    crops[:, :3] = 0
    standard = standardise(crops, signal_reference(crops, 1.35))
    assert (standard[:, :3] == 0).all()
    assert standard[:, 3:].any()


def test_leaving_a_sequence_out() -> None:
    crops = np.ones((2, 6, 4, 4), np.float32)
    assert without_sequence(crops, 0).sum(axis=(0, 2, 3)).tolist() == [0, 0, 0, 32, 32, 32]
    assert without_sequence(crops, 1).sum(axis=(0, 2, 3)).tolist() == [32, 32, 32, 0, 0, 0]
    assert crops.all()


@given(count=st.integers(1, 30), most=st.integers(1, 7))
def test_the_middle_slices_of_a_level(count: int, most: int) -> None:
    boxes = [(index, PixelBox(0, 0, 1, 1)) for index in range(count)][::-1]
    chosen = [index for index, _ in middle(boxes, most)]
    assert len(chosen) == min(count, most)
    assert chosen == sorted(chosen)
    assert abs(sum(chosen) / len(chosen) - (count - 1) / 2) <= 0.5


def test_a_flat_picture_has_a_usable_reference() -> None:
    reference = signal_reference(np.full((2, 6, 8, 8), 0.5, np.float32), 1.35)
    assert isinstance(reference, SignalReference)
    np.testing.assert_allclose(reference.spread, 1)
