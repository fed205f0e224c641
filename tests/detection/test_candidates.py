"""Overlapping cells become one box, averaged; separate bodies stay separate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spine_fracture.detection.candidates import Boxes, Candidate, boxes_of, cells, joined, kept, overlaps
from spine_fracture.detection.tasks import KINDS
from spine_fracture.geometry import PixelBox


def test_cells_are_decoded_to_the_boxes_they_stand_for():
    grid = cells(64, 96)
    output = np.zeros((4 + len(KINDS), len(grid.centres)), np.float32)
    at = 8 * 12 + 5  # second feature map: 16 px cells, after 8 x 12 cells of 8 px
    output[:4, at] = (1.0, 0.5, 2.0, 1.5)
    output[4:, at] = (0.1, 0.8, 0.0, 0.0)
    boxes = boxes_of(output, grid)
    x, y = grid.centres[at]
    assert grid.strides[at] == 16
    np.testing.assert_allclose(boxes.corners, [[x - 16, y - 8, x + 32, y + 24]])
    np.testing.assert_allclose(boxes.scores, [[0.1, 0.8, 0.0, 0.0]])


def test_close_boxes_are_averaged_by_score_and_a_neighbour_is_kept():
    corners = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [0, 12, 10, 22]], np.float32)
    scores = np.array([[0.9, 0, 0, 0], [0, 0.3, 0, 0], [0, 0, 0.5, 0]], np.float32)
    boxes = joined(Boxes(corners, scores))
    np.testing.assert_allclose(boxes.corners, [[0.25, 0, 10.25, 10], [0, 12, 10, 22]], atol=1e-5)
    np.testing.assert_allclose(boxes.scores, scores[[0, 2]])  # of the strongest cell, all four kinds


def test_nothing_above_threshold_gives_no_box():
    boxes = boxes_of(np.zeros((8, 84), np.float32), cells(64, 64))
    assert boxes.corners.shape == (0, 4)
    assert boxes.scores.shape == (0, 4)


def test_answers_without_an_area_or_without_a_number_are_dropped_and_the_strongest_comes_first():
    corners = np.array([[0, 0, 9, 9], [5, 5, 5, 9], [np.nan, 0, 9, 9], [20, 20, 30, 30]], np.float32)
    boxes = kept(Boxes(corners, np.array([[0.3, 0.1], [0.9, 0], [0.9, 0], [0.1, 0.6]], np.float32)))
    np.testing.assert_allclose(boxes.corners, corners[[3, 0]])
    np.testing.assert_allclose(boxes.scores, [[0.1, 0.6], [0.3, 0.1]])


def test_cells_cover_the_picture_row_by_row():
    grid = cells(64, 96)
    assert grid.centres[:2].tolist() == [[4, 4], [12, 4]]
    assert grid.strides.tolist() == [8] * 96 + [16] * 24 + [32] * 6


@given(st.lists(st.tuples(*[st.integers(0, 40)] * 2, *[st.integers(1, 20)] * 2), min_size=1, max_size=12))
def test_overlaps_agree_with_the_box_type(sizes):
    corners = np.array([(x, y, x + w, y + h) for x, y, w, h in sizes], np.float32)
    table = overlaps(corners)
    for row, a in enumerate(corners):
        for column, b in enumerate(corners):
            expected = PixelBox(*map(float, a)).iou(PixelBox(*map(float, b)))
            assert table[row, column] == pytest.approx(expected, abs=1e-5)


def test_score_is_that_of_the_likeliest_kind():
    assert Candidate(0, PixelBox(0, 0, 1, 1), 0.2, 0.1, 0.7, 0.0).score == 0.7
