"""Heat as a picture: where it lies on the slice, also where the crop leaves it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from spine_fracture.classification.overlay import overlay
from spine_fracture.errors import InputError
from spine_fracture.geometry import PixelBox

ROWS, COLUMNS = 200, 160


def opened(png: bytes) -> np.ndarray:
    picture = Image.open(io.BytesIO(png))
    assert picture.mode == "RGBA"
    return np.asarray(picture)


@settings(deadline=None)
@given(
    st.floats(-19, 159, allow_nan=False),
    st.floats(-19, 199, allow_nan=False),
    st.floats(20, 90, allow_nan=False),
    st.integers(0, 15),
    st.integers(0, 15),
)
def test_a_hot_spot_lies_where_it_was_found(x: float, y: float, side: float, row: int, column: int) -> None:
    region = PixelBox(x, y, x + side, y + side)
    values = np.zeros((16, 16), np.float32)
    values[row, column] = 1
    laid = overlay(values, region, ROWS, COLUMNS)
    assert laid.box == region.inside(ROWS, COLUMNS)
    picture = opened(laid.png)
    expected = (x + (column + 0.5) * side / 16, y + (row + 0.5) * side / 16)
    cell = side / 16
    inside = laid.box.x0 + cell < expected[0] < laid.box.x1 - cell
    if inside and laid.box.y0 + cell < expected[1] < laid.box.y1 - cell:
        height, width = picture.shape[:2]
        down, across = np.unravel_index(picture[..., 3].argmax(), (height, width))
        found = (
            laid.box.x0 + (across + 0.5) * laid.box.width / width,
            laid.box.y0 + (down + 0.5) * laid.box.height / height,
        )
        step = max(laid.box.width / width, laid.box.height / height)
        assert found == pytest.approx(expected, abs=step + 0.01)


def test_nothing_hot_is_nothing_seen() -> None:
    picture = opened(overlay(np.zeros((16, 16), np.float32), PixelBox(10, 10, 60, 60), ROWS, COLUMNS).png)
    assert picture.shape == (150, 150, 4)
    assert not picture[..., 3].any()


def test_the_hottest_place_still_lets_the_picture_through() -> None:
    picture = opened(overlay(np.ones((16, 16), np.float32), PixelBox(10, 10, 60, 60), ROWS, COLUMNS).png)
    assert 100 < picture[..., 3].min() <= picture[..., 3].max() < 255


@pytest.mark.parametrize(
    "region", [PixelBox(-60, 0, -10, 50), PixelBox(0, 200, 50, 250), PixelBox(160, 0, 170, 10)]
)
def test_a_region_outside_the_picture_is_refused(region: PixelBox) -> None:
    with pytest.raises(InputError, match="outside the picture"):
        overlay(np.ones((16, 16), np.float32), region, ROWS, COLUMNS)
