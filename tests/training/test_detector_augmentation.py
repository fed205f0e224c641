"""Boxes stay exact however a picture is moved; what was not labelled is never called background."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spine_fracture.detection.network import cells
from spine_fracture.training.detector_augmentation import show
from spine_fracture.training.detector_config import FieldOfView, Geometry, Signal
from spine_fracture.training.detector_pictures import DOUBTFUL, TeachingPicture, horizon_above
from spine_fracture.training.detector_sources import filled

SIDE = 128
CELLS = cells(SIDE, SIDE).centres.astype(float)
STILL = Signal(gamma=0, gain=0, bias=0, noise=0, blur=0, only_t1=0, only_t2=0)
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
    shown = show(picture, CELLS, geometry, STILL, NO_CUT, np.random.default_rng(seed))
    if not len(shown.boxes):
        return
    rows, columns = np.nonzero(shown.pixels[1] > 0.5)
    tight = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    np.testing.assert_allclose(shown.boxes[0], tight, atol=1.6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_every_choice_is_drawn_from_the_generator(seed):
    views = [
        show(spine(), CELLS, Geometry(), Signal(), FieldOfView(), np.random.default_rng(seed))
        for _ in range(2)
    ]
    np.testing.assert_array_equal(views[0].pixels, views[1].pixels)
    np.testing.assert_array_equal(views[0].boxes, views[1].boxes)
    assert views[0].pixels.dtype == np.float32
    assert views[0].pixels.min() >= 0
    assert views[0].pixels.max() <= 1


def test_cells_above_the_highest_known_body_are_unknown_and_those_of_bodies_are_not():
    shown = show(spine(), CELLS, NO_MOVE, STILL, NO_CUT, np.random.default_rng(0))
    assert shown.unknown[CELLS[:, 1] < 12].all()
    assert not shown.unknown[CELLS[:, 1] > 30].any()
    x0, y0, x1, y1 = shown.boxes[0]
    inside = (CELLS[:, 0] >= x0) & (CELLS[:, 0] <= x1) & (CELLS[:, 1] >= y0) & (CELLS[:, 1] <= y1)
    assert not shown.unknown[inside].any()


def test_a_cut_at_the_top_keeps_all_bodies_and_leaves_nothing_unknown():
    cut = FieldOfView(at_top=1, lower=0, from_below=0)
    shown = show(spine(), CELLS, NO_MOVE, STILL, cut, np.random.default_rng(0))
    assert len(shown.boxes) == 4
    assert not shown.unknown.any()
    assert shown.pixels[:, :15].max() == 0


@pytest.mark.parametrize(
    "cuts", [FieldOfView(at_top=0, lower=1, from_below=0), FieldOfView(at_top=0, lower=0, from_below=1)]
)
@pytest.mark.parametrize("seed", range(5))
def test_bodies_that_are_cut_away_are_neither_seen_nor_taught(cuts, seed):
    shown = show(spine(bodies=5), CELLS, NO_MOVE, STILL, cuts, np.random.default_rng(seed))
    assert 3 <= len(shown.boxes) <= 5
    rows = np.flatnonzero(shown.pixels[1].max(axis=1) > 0.5)
    assert rows.min() >= shown.boxes[:, 1].min() - 1
    assert rows.max() + 1 <= shown.boxes[:, 3].max() + 1


def test_doubtful_bodies_are_unknown():
    picture = spine(horizon=False)
    doubtful = TeachingPicture(picture.pixels, picture.outlines, (0, DOUBTFUL, 0, 2), None)
    shown = show(doubtful, CELLS, NO_MOVE, STILL, NO_CUT, np.random.default_rng(0))
    assert shown.kinds.tolist() == [0, 0, 2]
    assert shown.unknown.any()
    x, y = picture.outlines[1].mean(axis=0)
    nearest = np.linalg.norm(CELLS - (x, y), axis=1).argmin()
    assert shown.unknown[nearest]


def test_channels_are_left_out_as_often_as_configured():
    signal = STILL.model_copy(update={"only_t1": 0.3, "only_t2": 0.3})
    rng = np.random.default_rng(0)
    views = [
        show(spine(1, False), CELLS, NO_MOVE, signal, NO_CUT, rng).pixels.max(axis=(1, 2)) > 0
        for _ in range(200)
    ]
    t1, t2 = np.mean(views, axis=0)
    assert t1 == pytest.approx(0.7, abs=0.1)
    assert t2 == pytest.approx(0.7, abs=0.1)
    assert np.any(views, axis=1).all()
