"""A phantom study: right shapes, the same at every run, its labels in order."""

from __future__ import annotations

import numpy as np
import pytest

from spine_fracture.anatomy import Level
from spine_fracture.configuration import load_config
from spine_fracture.simulation.recipe import PhantomRecipe
from spine_fracture.simulation.study import PhantomStudy, phantom_pictures, simulate_study

RECIPE = PhantomRecipe(name="test", patients=1, first=Level.L1, last=Level.S1, slices=5, even_levels=0.5)


@pytest.fixture(scope="module")
def study() -> PhantomStudy:
    return simulate_study(3, RECIPE)


def test_the_same_seed_gives_the_same_pixels(study: PhantomStudy) -> None:
    again = simulate_study(3, RECIPE)
    other = simulate_study(4, RECIPE)
    assert again.truth == study.truth
    for first, second in zip(study.volumes, again.volumes, strict=True):
        np.testing.assert_array_equal(first.pixels, second.pixels)
    assert other.truth != study.truth or other.volumes[0].pixels.shape != study.volumes[0].pixels.shape


def test_labels_lie_on_the_grid_of_their_series_and_in_order(study: PhantomStudy) -> None:
    for volume, labels in zip(study.volumes, study.body_labels, strict=True):
        assert labels.shape == volume.pixels.shape
        rows = [np.argwhere(labels == 1 + level.order)[:, 1].mean() for level in RECIPE_LEVELS]
        assert rows == sorted(rows)


RECIPE_LEVELS = (Level.L1, Level.L2, Level.L3, Level.L4, Level.L5, Level.S1)


def test_pictures_hold_t1_and_t2_of_the_middle_slices() -> None:
    pictures = phantom_pictures(3, RECIPE, count=3)
    assert [p.slice_index for p in pictures] == [1, 2, 3]
    for picture in pictures:
        assert picture.pixels.shape == (2, *picture.level_labels.shape)
        assert picture.pixels.std() > 0


def test_shipped_recipes_are_valid() -> None:
    for name in ("small", "training"):
        assert load_config(f"phantoms/{name}", PhantomRecipe).name == name
