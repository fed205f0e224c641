"""Any picture size is read, and boxes come back where they were."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spine_fracture.detection.letterbox import Letterbox
from spine_fracture.errors import InputError


@given(st.integers(8, 1200), st.integers(8, 1200))
def test_canvas_fits_the_network_and_holds_the_picture(rows, columns):
    letterbox = Letterbox(rows, columns, 384)
    filled, canvas = letterbox.filled, letterbox.canvas
    assert all(side % 32 == 0 for side in canvas)
    assert all(0 <= c - f < 32 for c, f in zip(canvas, filled, strict=True))
    assert filled[0] * filled[1] == pytest.approx(384 * 384, rel=0.1)


@given(st.integers(30, 900), st.integers(30, 900), st.floats(0, 0.4), st.floats(0.5, 1))
def test_boxes_come_back(rows, columns, low, high):
    letterbox = Letterbox(rows, columns, 192)
    height, width = letterbox.filled
    box = letterbox.back(low * width, low * height, high * width, high * height)
    np.testing.assert_allclose(
        box.as_tuple(), (low * columns, low * rows, high * columns, high * rows), atol=1e-6
    )


def test_boxes_are_cut_at_the_picture_and_dropped_beyond_it():
    letterbox = Letterbox(100, 100, 100)
    assert letterbox.back(-5, 90, 20, 140).as_tuple() == (0, 90, 20, 100)
    assert letterbox.back(105, 10, 120, 30) is None


def test_picture_of_the_networks_own_size_is_not_resampled():
    pixels = np.random.default_rng(0).random((1, 2, 64, 64), np.float32)
    np.testing.assert_array_equal(Letterbox(64, 64, 64).place(pixels), pixels)


def test_a_bright_body_lands_where_the_box_says():
    pixels = np.zeros((1, 2, 300, 120), np.float32)
    pixels[:, :, 100:160, 30:90] = 1
    letterbox = Letterbox(300, 120, 96)
    placed = letterbox.place(pixels)[0, 0]
    rows, columns = np.nonzero(placed > 0.5)
    box = letterbox.back(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    np.testing.assert_allclose(box.as_tuple(), (30, 100, 90, 160), atol=1.6)


def test_a_picture_without_area_is_refused():
    with pytest.raises(InputError, match="too small"):
        Letterbox(1, 50, 384)
