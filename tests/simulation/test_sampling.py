"""A series sits where its frame says, and centres differ."""

from __future__ import annotations

import numpy as np
import pytest

from spine_fracture.anatomy import Level
from spine_fracture.errors import NotFoundError
from spine_fracture.imaging import Plane, Sequence
from spine_fracture.simulation.centres import CENTRES, Coverage, centre_named
from spine_fracture.simulation.phantom import Phantom, make_phantom
from spine_fracture.simulation.recipe import PhantomRecipe
from spine_fracture.simulation.sampling import Plan, plan_study, sample_series

RECIPE = PhantomRecipe(
    name="test",
    patients=1,
    first=Level.L2,
    last=Level.S1,
    sequences=tuple(s for s in Sequence if s is not Sequence.UNKNOWN),
    even_levels=0.0,
    variants=0.0,
    centres=("A",),
)


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom(1, RECIPE)


@pytest.fixture(scope="module")
def plan(phantom: Phantom) -> Plan:
    return plan_study(phantom, Coverage.LUMBAR, 5, np.random.default_rng(0))


def test_labels_and_frame_agree_on_where_a_body_is(phantom: Phantom, plan: Plan) -> None:
    series = sample_series(phantom, Sequence.T2, plan, np.random.default_rng(0))
    volume = phantom.canvas.labels
    value = 1 + Level.L3.order
    slices, rows, columns = volume.shape
    true = np.argwhere(volume == value).mean(axis=0) + 0.5 - np.array([slices, rows, columns]) / 2
    seen = np.argwhere(series.level_labels == value).mean(axis=0) + 0.5
    x, y, z = series.volume.frame.to_patient([[seen[2], seen[1], seen[0]]])[0]
    assert (y, z) == pytest.approx((true[2], -true[1]), abs=1.5)
    assert x == pytest.approx(-true[0], abs=4)


def test_columns_run_backwards_rows_down_and_slices_to_the_right(phantom: Phantom, plan: Plan) -> None:
    axes = sample_series(phantom, Sequence.T1, plan, np.random.default_rng(0)).volume.frame.axes
    np.testing.assert_allclose(axes, [[0, 0, -1], [1, 0, 0], [0, -1, 0]], atol=1e-9)


def test_a_series_says_how_it_was_made(phantom: Phantom, plan: Plan) -> None:
    for sequence in RECIPE.sequences:
        volume = sample_series(phantom, sequence, plan, np.random.default_rng(0)).volume
        said = volume.acquisition
        assert volume.sequence is sequence
        assert volume.plane is Plane.SAGITTAL
        assert said.field_strength == 1.5
        assert (said.inversion_time is not None) == (sequence is Sequence.T2_FAT_SAT)
        assert (said.contrast_agent is not None) == (sequence is Sequence.T1_CONTRAST)
        assert volume.pixels.max() <= 4095
        assert np.array_equal(volume.pixels, np.rint(volume.pixels))


def test_a_patient_who_moved_lies_elsewhere_in_the_picture(phantom: Phantom, plan: Plan) -> None:
    still = sample_series(phantom, Sequence.T1, plan, np.random.default_rng(0)).level_labels
    moved = sample_series(
        phantom, Sequence.T1, plan, np.random.default_rng(0), shift=(6.0, -4.0)
    ).level_labels
    value = 1 + Level.L3.order
    offset = np.argwhere(moved == value).mean(axis=0) - np.argwhere(still == value).mean(axis=0)
    np.testing.assert_allclose(offset[1:] * plan.pixel, [-6, 4], atol=0.8)


def test_no_two_centres_are_alike_and_an_unknown_one_is_refused() -> None:
    assert len({(c.thickness, c.gap, c.pixel, c.noise) for c in CENTRES}) == len(CENTRES)
    assert len({c.field_strength for c in CENTRES}) > 1
    with pytest.raises(NotFoundError, match="No centre Z"):
        centre_named("Z")
