"""Which slice of a level is opened first."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from spine_fracture.geometry import PixelBox
from spine_fracture.levels import SliceBox, slice_to_open


def slices(*scores: float) -> list[SliceBox]:
    box = PixelBox(0, 0, 10, 10)
    return [SliceBox("1.2", index, f"1.2.{index}", box, score) for index, score in enumerate(scores)]


def test_reading_begins_in_the_middle_of_the_slices_that_are_about_as_good_as_the_best() -> None:
    assert slice_to_open(slices(0.3, 0.82, 0.85, 0.84, 0.9, 0.2)).slice_index == 2


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), st.randoms())
def test_it_is_one_of_the_best_in_whatever_order_they_come(scores: list[float], chance: Random) -> None:
    drawn = slices(*scores)
    opened = slice_to_open(drawn)
    assert opened.score > max(scores) - 0.15
    chance.shuffle(drawn)
    assert slice_to_open(drawn) == opened
