"""Regions as VGG Image Annotator (VIA) 2 keeps them: reading its JSON, and writing it so that VIA opens it.

The format is that of VIA's own documentation (Dutta and Zisserman 2019, The VIA Annotation Software):
pictures under the key file name + size in bytes, each with regions of a shape and attributes. Read strictly
in what is used and tolerantly otherwise: a whole project or the annotations alone, regions as a list or, as
VIA 1 wrote them, as a mapping.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from spine_fracture.errors import InputError
from spine_fracture.files import write_atomically
from spine_fracture.geometry import PixelBox

_VERSION = "2.0.10"


class _Kept(BaseModel):
    """Frozen; what VIA writes beyond the format is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Rectangle(_Kept):
    name: Literal["rect"] = "rect"
    x: float
    y: float
    width: float
    height: float

    @property
    def box(self) -> PixelBox:
        return PixelBox(self.x, self.y, self.x + self.width, self.y + self.height)


class Circle(_Kept):
    name: Literal["circle"] = "circle"
    cx: float
    cy: float
    r: float

    @property
    def box(self) -> PixelBox:
        return PixelBox(self.cx - self.r, self.cy - self.r, self.cx + self.r, self.cy + self.r)


class Ellipse(_Kept):
    """``rx`` and ``ry`` are its half axes, turned by ``theta`` radians."""

    name: Literal["ellipse"] = "ellipse"
    cx: float
    cy: float
    rx: float
    ry: float
    theta: float = 0.0

    @property
    def box(self) -> PixelBox:
        cosine, sine = math.cos(self.theta), math.sin(self.theta)
        across = math.hypot(self.rx * cosine, self.ry * sine)
        along = math.hypot(self.rx * sine, self.ry * cosine)
        return PixelBox(self.cx - across, self.cy - along, self.cx + across, self.cy + along)


class Polygon(_Kept):
    """A closed line, or with the name ``polyline`` an open one, through at least one point."""

    name: Literal["polygon", "polyline"] = "polygon"
    all_points_x: tuple[float, ...] = Field(min_length=1)
    all_points_y: tuple[float, ...] = Field(min_length=1)

    @property
    def box(self) -> PixelBox:
        count = min(len(self.all_points_x), len(self.all_points_y))
        return PixelBox.around(np.stack([self.all_points_x[:count], self.all_points_y[:count]], axis=1))


class Point(_Kept):
    name: Literal["point"] = "point"
    cx: float
    cy: float

    @property
    def box(self) -> PixelBox:
        return PixelBox.around([[self.cx, self.cy]])


def _texts(given: Any) -> Any:
    """VIA's attributes as texts: of a set of tick boxes the ticked ones, joined by commas."""
    if not isinstance(given, dict):
        return given
    return {
        key: ",".join(option for option, ticked in value.items() if ticked)
        if isinstance(value, dict)
        else ("" if value is None else str(value))
        for key, value in given.items()
    }


def _listed(given: Any) -> Any:
    """Regions as a list, without those that stand for the whole picture and have no shape."""
    regions = list(given.values()) if isinstance(given, dict) else given
    if not isinstance(regions, list):
        return regions
    return [one for one in regions if not isinstance(one, dict) or one.get("shape_attributes") != {}]


Attributes = Annotated[dict[str, str], BeforeValidator(_texts)]


class Region(_Kept):
    """A shape in pixels of its picture, and what was said of it."""

    shape_attributes: Annotated[Rectangle | Circle | Ellipse | Polygon | Point, Field(discriminator="name")]
    region_attributes: Attributes = Field(default_factory=dict)

    @property
    def box(self) -> PixelBox:
        """The smallest box round the shape; raises :class:`InputError` for one without an area."""
        return self.shape_attributes.box


class AnnotatedPicture(_Kept):
    """A picture's regions. ``size`` is the file's in bytes, -1 where it is not known."""

    filename: str
    size: int = -1
    regions: Annotated[tuple[Region, ...], BeforeValidator(_listed)] = ()
    file_attributes: Attributes = Field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"{self.filename}{self.size}"


def read_via(path: Path) -> tuple[AnnotatedPicture, ...]:
    """All pictures of a VIA project or of exported annotations, in the file's order.

    Raises :class:`InputError` for any other file.
    """
    try:
        content = json.loads(path.read_bytes())
        if not isinstance(content, dict):
            raise InputError(_refusal(path, "it is no mapping of pictures"))
        pictures = content.get("_via_img_metadata", content)
        return tuple(AnnotatedPicture.model_validate(picture) for picture in pictures.values())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "a picture"
        raise InputError(_refusal(path, f"{where}: {first['msg']}")) from error
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise InputError(_refusal(path, "it is no JSON of pictures")) from error


def write_via(path: Path, name: str, pictures: Sequence[AnnotatedPicture]) -> None:
    """Write a project that VIA opens when it lies beside its pictures, atomically."""
    if len({picture.key for picture in pictures}) < len(pictures):
        raise InputError("Two pictures have the same name and size, which VIA cannot tell apart: rename one.")
    regions = [region for picture in pictures for region in picture.regions]
    project = {
        "_via_settings": {
            "ui": {"image": {"region_label": "diagnosis"}},
            "core": {"default_filepath": ""},
            "project": {"name": name},
        },
        "_via_img_metadata": {picture.key: picture.model_dump(mode="json") for picture in pictures},
        "_via_attributes": {
            "region": _described(key for region in regions for key in region.region_attributes),
            "file": _described(key for picture in pictures for key in picture.file_attributes),
        },
        "_via_data_format_version": _VERSION,
        "_via_image_id_list": [picture.key for picture in pictures],
    }
    write_atomically(path, (json.dumps(project, indent=1) + "\n").encode())


def _described(keys: Any) -> dict[str, dict[str, str]]:
    """Attributes that VIA shows as lines of text to be edited."""
    return {key: {"type": "text", "description": "", "default_value": ""} for key in dict.fromkeys(keys)}


def _refusal(path: Path, why: str) -> str:
    return (
        f"{path.name} is no file of VGG Image Annotator 2 ({why}): save the project there, or export its "
        "annotations as JSON."
    )
