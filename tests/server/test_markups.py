"""Slicer's Markups JSON, out and back in."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from server.studies import LEVELS, reading, volume

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.errors import InputError
from spine_fracture.imaging import Sequence
from spine_fracture.server.markups import from_markups, to_markups


@pytest.fixture
def scene() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(to_markups(reading(volume("a", Sequence.T2), "1.2")))
    return found


def sent(scene: dict[str, Any]) -> bytes:
    return json.dumps(scene).encode()


def test_every_level_is_an_roi_named_level_class_and_score(scene: dict[str, Any]) -> None:
    assert scene["@schema"].endswith("markups-schema-v1.0.3.json#")
    assert [m["name"] for m in scene["markups"]] == [
        "L1 normal 0.90",
        "L2 benign_fracture 0.70",
        "L3 malignant 0.65",
        "L4 hemangioma 0.60",
        "L5 normal 0.40",
    ]
    assert {(m["type"], m["coordinateSystem"], m["roiType"]) for m in scene["markups"]} == {
        ("ROI", "LPS", "Box")
    }
    assert all(np.linalg.det(np.reshape(m["orientation"], (3, 3))) > 0 for m in scene["markups"])


def test_what_was_sent_comes_back_as_the_same_boxes(scene: dict[str, Any]) -> None:
    before = reading(volume("a", Sequence.T2), "1.2").levels
    after = from_markups(sent(scene))
    assert [m.level for m in after] == list(LEVELS)
    assert after[2].diagnosis is Diagnosis.MALIGNANT
    for was, now in zip(before, after, strict=True):
        corners = {tuple(np.round(c, 6)) for c in was.box.corners()}
        assert {tuple(np.round(c, 6)) for c in now.box.corners()} == corners


def test_ras_scenes_are_turned_into_lps(scene: dict[str, Any]) -> None:
    flip = np.diag([-1.0, -1.0, 1.0])
    expected = from_markups(sent(scene))[1].box.corners()
    for markup in scene["markups"]:
        markup["coordinateSystem"] = "RAS"
        markup["center"] = (flip @ markup["center"]).tolist()
        markup["orientation"] = (flip @ np.reshape(markup["orientation"], (3, 3))).ravel().tolist()
    assert np.allclose(from_markups(sent(scene))[1].box.corners(), expected)


def test_names_that_slicer_replaced_are_read_from_the_control_point(scene: dict[str, Any]) -> None:
    for index, markup in enumerate(scene["markups"]):
        markup["name"] = f"Detection ROI - {index}"
    assert [m.level for m in from_markups(sent(scene))] == list(LEVELS)


@pytest.mark.parametrize("name", ["SAM2 ROI", "Scribbles ROI", "R", "", "T1 weighted crop"])
def test_slicers_own_empty_roi_is_passed_over(scene: dict[str, Any], name: str) -> None:
    helper = {"type": "ROI", "coordinateSystem": "LPS", "name": name, "controlPoints": [], "size": [0, 0, 0]}
    scene["markups"].insert(0, helper)
    if name.startswith("T1"):
        with pytest.raises(InputError):  # it begins with the name of a level: a person must say what it is
            from_markups(sent(scene))
    else:
        assert len(from_markups(sent(scene))) == len(LEVELS)


@pytest.mark.parametrize(
    ("name", "says"),
    [("L9 malignant", "not a vertebral level"), ("L3 broken", "not a class")],
)
def test_a_level_or_class_that_does_not_exist_is_named(scene: dict[str, Any], name: str, says: str) -> None:
    scene["markups"][0]["name"] = name
    with pytest.raises(InputError, match=says):
        from_markups(sent(scene))


def test_a_level_alone_leaves_the_class_open(scene: dict[str, Any]) -> None:
    scene["markups"] = scene["markups"][:1]
    scene["markups"][0]["name"] = "L1"
    (marked,) = from_markups(sent(scene))
    assert (marked.level, marked.diagnosis) == (Level.L1, None)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff\xfe", b'{"markups": 3}', b'{"markups": []}'])
def test_what_is_no_scene_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(InputError) as error:
        from_markups(data)
    assert "\n" not in str(error.value)


def test_a_level_marked_twice_is_refused(scene: dict[str, Any]) -> None:
    scene["markups"][1]["name"] = "L1 malignant"
    with pytest.raises(InputError, match="keep one"):
        from_markups(sent(scene))
