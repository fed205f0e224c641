"""Boxes stay exact however a picture is moved; what was not labelled is never called background."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spine_fracture.training.detectors.augmentation import plain, show
from spine_fracture.training.detectors.config import FieldOfView, Geometry
from spine_fracture.training.detectors.pictures import BACKGROUND, DOUBTFUL, TeachingPicture, horizon_above
from spine_fracture.training.detectors.sources import filled

SIDE = 128
NO_CUT = FieldOfView(at_top=0, lower=0, from_below=0)
NO_MOVE = Geometry(turn=0, shear=0, scale=(1, 1), small=0, shift=0, slip=0)


def spine(bodies=4, horizon=True):
    """Bright squares in a column, the lowest a sacrum; T1 and T2 alike."""
    outlines = tuple(
        np.array([[50, 20 + 24 * k], [72, 22 + 24 * k], [70, 38 + 24 * k], [48, 36 + 24 * k]], float)
        for k in range(bodies)
    )
    picture = np.zeros((SIDE, SIDE), np.uint8)
    for outline in outlines:
        picture[filled(outline, SIDE)] = 255
    kinds = (0,) * (bodies - 1) + (2,)
    line = horizon_above(outlines) if horizon else None
    return TeachingPicture(np.stack([picture, picture]), outlines, kinds, line)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_boxes_fit_the_bodies_however_the_picture_is_turned(seed):
    picture = spine(bodies=1, horizon=False)
    geometry = Geometry(
        turn=20, shear=5, scale=(0.7, 1.4), small=0.3, small_scale=(0.5, 0.7), shift=0.1, slip=0
    )
    shown = show(picture, geometry, NO_CUT, np.random.default_rng(seed))
    if not len(shown.boxes):
        return
    rows, columns = np.nonzero(shown.pixels[1] > 127)
    tight = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    np.testing.assert_allclose(shown.boxes[0], tight, atol=1.6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_every_choice_is_drawn_from_the_generator(seed):
    views = [show(spine(), Geometry(), FieldOfView(), np.random.default_rng(seed)) for _ in range(2)]
    np.testing.assert_array_equal(views[0].pixels, views[1].pixels)
    np.testing.assert_array_equal(views[0].boxes, views[1].boxes)
    np.testing.assert_array_equal(views[0].unknown, views[1].unknown)


def test_what_lies_above_the_highest_known_body_is_unknown_and_bodies_are_not():
    shown = show(spine(), NO_MOVE, NO_CUT, np.random.default_rng(0))
    assert shown.unknown[:12].all()
    assert not shown.unknown[30:].any()
    for x0, y0, x1, y1 in shown.boxes.astype(int):
        assert not shown.unknown[y0:y1, x0:x1].any()


def test_a_cut_at_the_top_keeps_all_bodies_and_leaves_nothing_unknown():
    cut = FieldOfView(at_top=1, lower=0, from_below=0)
    shown = show(spine(), NO_MOVE, cut, np.random.default_rng(0))
    assert len(shown.boxes) == 4
    assert not shown.unknown.any()
    assert shown.pixels[:, :15].max() == 0


@pytest.mark.parametrize(
    "cuts", [FieldOfView(at_top=0, lower=1, from_below=0), FieldOfView(at_top=0, lower=0, from_below=1)]
)
@pytest.mark.parametrize("seed", range(5))
def test_bodies_that_are_cut_away_are_neither_seen_nor_taught(cuts, seed):
    shown = show(spine(bodies=5), NO_MOVE, cuts, np.random.default_rng(seed))
    assert 3 <= len(shown.boxes) <= 5
    rows = np.flatnonzero(shown.pixels[1].max(axis=1) > 127)
    assert rows.min() >= shown.boxes[:, 1].min() - 1
    assert rows.max() + 1 <= shown.boxes[:, 3].max() + 1


def test_doubtful_bodies_are_unknown_and_background_is_known():
    picture = spine(horizon=False)
    kinds = (0, DOUBTFUL, BACKGROUND, 2)
    shown = show(
        TeachingPicture(picture.pixels, picture.outlines, kinds, None),
        NO_MOVE,
        NO_CUT,
        np.random.default_rng(0),
    )
    assert shown.kinds.tolist() == [0, 2]
    doubtful, background = (picture.outlines[at].mean(axis=0).astype(int) for at in (1, 2))
    assert shown.unknown[doubtful[1], doubtful[0]]
    assert not shown.unknown[background[1], background[0]]


def test_for_validation_the_picture_is_as_it_is():
    picture = spine()
    shown = plain(picture)
    np.testing.assert_array_equal(shown.pixels, picture.pixels)
    np.testing.assert_allclose(shown.boxes[0], [48, 20, 72, 38])
    assert shown.unknown[:12].all()
