"""Regions of VGG Image Annotator: what is written comes back, and what VIA writes is understood."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spine_fracture.errors import InputError
from spine_fracture.via import (
    AnnotatedPicture,
    Circle,
    Ellipse,
    Point,
    Polygon,
    Rectangle,
    Region,
    read_via,
    write_via,
)

numbers = st.floats(-1e6, 1e6)
lengths = st.floats(0.5, 1e4)
points = st.lists(numbers, min_size=3, max_size=6).map(tuple)
shapes = st.one_of(
    st.builds(Rectangle, x=numbers, y=numbers, width=lengths, height=lengths),
    st.builds(Circle, cx=numbers, cy=numbers, r=lengths),
    st.builds(Ellipse, cx=numbers, cy=numbers, rx=lengths, ry=lengths, theta=st.floats(-3, 3)),
    st.builds(
        Polygon, name=st.sampled_from(["polygon", "polyline"]), all_points_x=points, all_points_y=points
    ),
    st.builds(Point, cx=numbers, cy=numbers),
)
attributes = st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=12), max_size=3)
pictures = st.lists(
    st.builds(
        AnnotatedPicture,
        filename=st.text(min_size=1, max_size=12),
        size=st.integers(-1, 10**9),
        regions=st.lists(st.builds(Region, shape_attributes=shapes, region_attributes=attributes), max_size=3)
        .map(tuple),
        file_attributes=attributes,
    ),
    max_size=3,
    unique_by=lambda picture: picture.key,
)  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pictures)
def test_what_is_written_comes_back(tmp_path: Path, annotated: list[AnnotatedPicture]) -> None:
    write_via(tmp_path / "regions.json", "made up", annotated)
    assert read_via(tmp_path / "regions.json") == tuple(annotated)
    # What VIA 2 asks of a project, or it calls the file corrupt.
    project = json.loads((tmp_path / "regions.json").read_text())
    assert {"_via_settings", "_via_img_metadata", "_via_attributes"} <= project.keys()
    assert project["_via_image_id_list"] == list(project["_via_img_metadata"])


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        (Rectangle(x=3, y=4, width=10, height=20), (3, 4, 13, 24)),
        (Circle(cx=10, cy=20, r=5), (5, 15, 15, 25)),
        (Ellipse(cx=10, cy=20, rx=4, ry=2), (6, 18, 14, 22)),
        (Ellipse(cx=10, cy=20, rx=4, ry=2, theta=math.pi / 2), (8, 16, 12, 24)),
        (Polygon(all_points_x=(1, 5, 3), all_points_y=(2, 2, 9)), (1, 2, 5, 9)),
    ],
)
def test_a_shape_has_the_smallest_box_round_it(shape: Any, box: tuple[float, ...]) -> None:
    assert Region(shape_attributes=shape).box.as_tuple() == pytest.approx(box)


def test_a_point_has_no_box() -> None:
    with pytest.raises(InputError, match="area"):
        _ = Region(shape_attributes=Point(cx=1, cy=2)).box


def written(tmp_path: Path, content: object) -> Path:
    file = tmp_path / "via.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def test_annotations_alone_regions_as_a_mapping_and_tick_boxes_are_understood(tmp_path: Path) -> None:
    rectangle = {"name": "rect", "x": 1, "y": 2, "width": 3, "height": 4}
    picture = {
        "fileref": "",
        "filename": "a.png",
        "size": 12,
        "base64_img_data": "",
        "file_attributes": {"patient": 7},
        "regions": {
            "0": {"shape_attributes": rectangle, "region_attributes": {"diagnosis": "hemangioma"}},
            "1": {"shape_attributes": {}, "region_attributes": {"quality": "good"}},
            "2": {"shape_attributes": rectangle, "region_attributes": {"seen": {"a": True, "b": False}}},
        },
    }
    (read,) = read_via(written(tmp_path, {"a.png12": picture}))
    assert (read.filename, read.size, read.file_attributes) == ("a.png", 12, {"patient": "7"})
    assert [region.region_attributes for region in read.regions] == [
        {"diagnosis": "hemangioma"},
        {"seen": "a"},
    ]
    assert read_via(written(tmp_path, {"_via_img_metadata": {"a.png12": picture}})) == (read,)


@pytest.mark.parametrize(
    "content",
    [
        "no JSON",
        "[1, 2]",
        {"a": 1},
        {"a": {"size": 3}},
        {"a": {"filename": "a", "regions": [{"shape_attributes": {"name": "cube"}}]}},
        {"a": {"filename": "a", "regions": [{"shape_attributes": {"name": "rect", "x": 1}}]}},
        '{"a": {"filename": "a", "regions": [{"shape_attributes": {"name": "point", "cx": NaN, "cy": 1}}]}}',
        {"_via_img_metadata": [1]},
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: object) -> None:
    with pytest.raises(InputError, match=r"via\.json is no file of VGG Image Annotator"):
        read_via(written(tmp_path, content))


def test_pictures_that_via_cannot_tell_apart_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="same name"):
        write_via(tmp_path / "a.json", "a", [AnnotatedPicture(filename="a"), AnnotatedPicture(filename="a")])
