"""What no picture can be changed by is refused where it is set."""

from __future__ import annotations

import pytest
from pydantic import JsonValue

from spine_fracture.errors import InputError
from spine_fracture.training.systems.families import load_system
from spine_fracture.training.systems.family import with_settings


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("scale", [0, 1], r"augmentation\.geometry\.scale\.0 must be greater than 0"),
        ("scale", [1.25, 0.8], r"augmentation\.geometry\.scale: .*first: \[0\.8, 1\.25\]"),
        ("small_scale", [0.4, -1], r"augmentation\.geometry\.small_scale\.1 must be greater than 0"),
    ],
)
def test_magnifications_are_ranges_above_zero(key: str, value: JsonValue, said: str) -> None:
    config = load_system("yolo11").config
    with pytest.raises(InputError, match=said):
        with_settings(config, {f"augmentation.geometry.{key}": value})
    set_so = with_settings(config, {f"augmentation.geometry.{key}": [1, 1]})
    assert set_so.model_dump()["augmentation"]["geometry"][key] == (1, 1)
