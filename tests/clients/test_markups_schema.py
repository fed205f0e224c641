"""What Slicer is given is what its own schema of Markups files demands."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import jsonschema
import numpy as np
import pytest
from clients.markups_schema import MARKUPS_1_0_3
from server.studies import reading, volume

from spine_fracture.geometry import PatientBox
from spine_fracture.imaging import Sequence
from spine_fracture.server.markups import from_markups, to_markups


@pytest.fixture(scope="module")
def scene() -> dict[str, Any]:
    found: dict[str, Any] = _no_nan(to_markups(reading(volume("a", Sequence.T2), "1.2")))
    return found


def test_our_scenes_are_valid(scene: dict[str, Any]) -> None:
    jsonschema.Draft7Validator.check_schema(MARKUPS_1_0_3)
    jsonschema.validate(scene, MARKUPS_1_0_3)
    assert len(scene["markups"]) == 5


def test_a_scene_of_no_levels_is_valid() -> None:
    empty = replace(reading(volume("a", Sequence.T2), "1.2"), levels=())
    jsonschema.validate(_no_nan(to_markups(empty)), MARKUPS_1_0_3)


@pytest.mark.parametrize("mirrored", [False, True])
def test_axes_are_the_columns_of_the_orientation(mirrored: bool) -> None:
    """The schema: elements 0, 3 and 6 of ``orientation`` are the first axis of the ROI."""
    turn = np.array([[0.6, -0.8, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, -1.0 if mirrored else 1.0]])
    one = reading(volume("a", Sequence.T2), "1.2").levels[0]
    tilted = replace(one, box=PatientBox(np.array([1.0, 2.0, 3.0]), np.array([30.0, 20.0, 12.0]), turn))
    whole = replace(reading(volume("a", Sequence.T2), "1.2"), levels=(tilted,))
    scene = _no_nan(to_markups(whole))
    jsonschema.validate(scene, MARKUPS_1_0_3)
    (roi,) = scene["markups"]
    assert roi["orientation"][0::3] == [0.6, 0.8, 0.0]
    assert roi["controlPoints"][0]["position"] == roi["center"] == [1.0, 2.0, 3.0]
    (back,) = from_markups(json.dumps(scene).encode())
    corners = {tuple(np.round(corner, 6)) for corner in tilted.box.corners()}
    assert {tuple(np.round(corner, 6)) for corner in back.box.corners()} == corners


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("markups", 0, "type"), "Box"),
        (("markups", 0, "size"), [1.0, 2.0]),
        (("markups", 0, "orientation"), [1.0] * 8),
        (("markups", 0, "coordinateUnits"), "cm"),
        (("markups", 0, "display", "opacity"), 2.0),
        (("markups", 0, "display", "color"), [255, 0, 0]),
        (("markups", 0, "controlPoints", 0, "positionStatus"), "there"),
        (("markups", 0, "locked"), "no"),
        (("@schema",), 3),
    ],
)
def test_the_schema_notices_what_is_wrong(
    scene: dict[str, Any], path: tuple[Any, ...], wrong: object
) -> None:
    broken = copy.deepcopy(scene)
    inner: Any = broken
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = wrong
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, MARKUPS_1_0_3)


def _no_nan(data: bytes) -> Any:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(data, parse_constant=refuse)
