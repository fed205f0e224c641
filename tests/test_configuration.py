"""Configurations are found by name, and what is wrong in one is said in words."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field, model_validator

from spine_fracture.configuration import Config, config_names, load_config
from spine_fracture.errors import InputError


class Wheel(Config):
    diameter: float = Field(default=1.0, gt=0)
    spokes: int = 12
    shares: tuple[float, float] = (0.5, 0.5)


class Lamp(Config):
    brightness: float = 1.0


class Cart(Config):
    name: str
    colour: Literal["red", "green"] = "red"
    wheel: Wheel = Wheel()
    lamps: tuple[Lamp, ...] = ()
    spare: Wheel | None = None
    painted: bool = True

    @model_validator(mode="after")
    def _lit(self) -> Cart:
        if self.colour == "green" and not self.lamps:
            raise ValueError("a green cart needs a lamp")
        return self


def loaded(folder: Path, text: str) -> Cart:
    (folder / "cart.yaml").write_text(text)
    return load_config(folder / "cart.yaml", Cart)


def test_a_file_becomes_a_frozen_model(tmp_path: Path) -> None:
    cart = loaded(
        tmp_path, "{name: mine, wheel: {spokes: 8}, lamps: [{brightness: 2}], spare: {diameter: 3}}"
    )
    assert (cart.wheel.spokes, cart.lamps[0].brightness, cart.spare) == (8, 2, Wheel(diameter=3))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{name: a, color: red}", "there is no color, did you mean colour?"),
        ("{name: a, wheel: {spoke: 8}}", "there is no wheel.spoke, did you mean wheel.spokes?"),
        ("{name: a, spare: {spoke: 8}}", "there is no spare.spoke, did you mean spare.spokes?"),
        (
            "{name: a, lamps: [{britness: 8}]}",
            "there is no lamps.0.britness, did you mean lamps.0.brightness?",
        ),
        ("{name: a, diametre: 8}", "there is no diametre, did you mean wheel.diameter?"),
        (
            "{name: a, wheel: {zzz: 8}}",
            "there is no wheel.zzz, there are wheel.diameter, wheel.spokes, wheel.shares.",
        ),
        ("{colour: red}", "name is missing."),
        ("{name: 3}", "name must be text, not 3."),
        ("{name: a, wheel: {spokes: many}}", "wheel.spokes must be a whole number, not 'many'."),
        ("{name: a, wheel: {spokes: 1.5}}", "wheel.spokes must be a whole number, not 1.5."),
        ("{name: a, wheel: {diameter: }}", "wheel.diameter must be a number, not empty."),
        ("{name: a, wheel: {diameter: 0}}", "wheel.diameter must be greater than 0.0, not 0."),
        ("{name: a, wheel: 7}", "wheel must be a group of `key: value` lines, not 7."),
        ("{name: a, wheel: {shares: 1}}", "wheel.shares must be a list, not 1."),
        ("{name: a, wheel: {shares: [1, 2, 3]}}", "wheel.shares must be a list of at most 2, not [1, 2, 3]."),
        ("{name: a, wheel: {shares: [1]}}", "wheel.shares.1 is missing."),
        ("{name: a, colour: blue}", "colour must be one of 'red' or 'green', not 'blue'."),
        ("{name: a, painted: perhaps}", "painted must be true or false, not 'perhaps'."),
        ("{name: a, colour: green}", "a green cart needs a lamp."),
        ("", "the file must be a group of `key: value` lines, not empty."),
        ("{name: 3, colr: red}", "name must be text, not 3; there is no colr, did you mean colour?"),
    ],
)
def test_what_is_wrong_is_said_in_words(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        loaded(tmp_path, text)
    assert str(refused.value) == f"cart.yaml: {said}"


def test_what_is_no_yaml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cart\.yaml cannot be read as YAML"):
        loaded(tmp_path, "{name: [")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("classifiers/shiped", "classifiers/shipped"),
        ("shipped", "classifiers/shipped"),
        ("classifier/yeh2022", "classifiers/yeh2022"),
    ],
)
def test_the_nearest_configuration_is_named(given: str, meant: str) -> None:
    with pytest.raises(InputError, match=f"Did you mean {meant}"):
        load_config(given, Cart)


def test_every_configuration_has_a_name() -> None:
    assert "classifiers/shipped" in config_names()
    with pytest.raises(InputError, match=r"under configs/\.$"):
        load_config("qqqqqq", Cart)
