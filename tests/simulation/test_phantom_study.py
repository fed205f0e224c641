"""A phantom study: right shapes, the same at every run, its labels in order."""

from __future__ import annotations

import numpy as np
import pytest

from spine_fracture.anatomy import Level
from spine_fracture.configuration import checked, load_config
from spine_fracture.errors import InputError
from spine_fracture.simulation.recipe import PhantomRecipe
from spine_fracture.simulation.study import PhantomStudy, simulate_study

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


def test_shipped_recipes_are_valid() -> None:
    for name in ("small", "training"):
        assert load_config(f"phantoms/{name}", PhantomRecipe).name == name


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"first": "L5", "last": "L1"}, r"from first \(L5\) to last \(L1\)"),
        ({"first": "L6", "last": "L6"}, "that everybody has"),
        ({"findings_from": "S1"}, "disease.osteoporosis finds no level"),
        ({"last": "C2"}, "disease.osteoporosis finds no level"),
        (
            {"first": "S1", "disease": {"osteoporosis": 0, "infection": 0}, "skip_lesions": {}},
            "disease.malignant finds no level",
        ),
        ({"centres": []}, "centres must be a list of at least 1"),
        ({"centres": ["A", "Z"]}, "no centre Z"),
        ({"sequences": []}, "sequences must be a list of at least 1"),
        ({"sequences": ["unknown"]}, "no sequence unknown is simulated"),
        ({"extra_sequences": ["T1_CE", "unknown"]}, "no sequence unknown is simulated"),
        ({"disease": {"osteoporosis": 0.8}}, "together 1.09, which is more than 1"),
    ],
)
def test_a_recipe_that_nothing_can_be_drawn_by_is_refused_in_words(
    changes: dict[str, object], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        checked({"name": "test", "patients": 1, **changes}, PhantomRecipe, "recipe.yaml")


@pytest.mark.parametrize(
    "changes",
    [
        {"findings_from": "S1", "disease": {"osteoporosis": 0, "infection": 0}},
        {"findings_from": "S1", "even_levels": 0.5},
        {"last": "C2", "disease": {"osteoporosis": 0, "malignant": 0, "infection": 0}},
        {"disease": {"osteoporosis": 0.7, "malignant": 0.2, "infection": 0.1}},
    ],
)
def test_a_recipe_of_few_levels_is_drawn(changes: dict[str, object]) -> None:
    small = {"name": "test", "patients": 1, "slices": 1, "sequences": ["T1"], "first": "L5", "last": "S1"}
    recipe = checked({**small, "first": "C1" if "last" in changes else "L5", **changes}, PhantomRecipe, "a")
    assert simulate_study(0, recipe).volumes
