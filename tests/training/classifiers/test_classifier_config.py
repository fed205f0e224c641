"""What no classifier can be trained with is refused where it is set."""

from __future__ import annotations

import pytest

from spine_fracture.configuration import checked
from spine_fracture.errors import InputError
from spine_fracture.training.classifiers.config import ClassifierTraining


@pytest.mark.parametrize(
    ("group", "key", "value", "said"),
    [
        ("samples", "training_phantoms", -1, r"samples\.training_phantoms must be at least 0"),
        ("samples", "validation_phantoms", -1, r"samples\.validation_phantoms must be at least 0"),
        ("samples", "test_phantoms", -2, r"samples\.test_phantoms must be at least 0"),
        ("balance", "prevalence", [1, -1, 0, 0], r"balance\.prevalence\.1 must be at least 0"),
        ("balance", "shares", [1, 0, -1], r"balance\.shares\.2 must be at least 0"),
    ],
)
def test_there_are_no_fewer_than_none(group: str, key: str, value: object, said: str) -> None:
    with pytest.raises(InputError, match=said):
        checked({"name": "a", "network": {}, group: {key: value}}, ClassifierTraining, "recipe.yaml")


def test_random_numbers_are_drawn_from_no_negative_seed() -> None:
    with pytest.raises(InputError, match="seed must be at least 0"):
        checked({"name": "a", "network": {}, "seed": -1}, ClassifierTraining, "recipe.yaml")
