"""Slicer's Markups JSON (schema 1.0.3): one ROI a level, out and back in.

Slicer's MONAI Label module gives every ROI it loads a name of its own, so level, class and score
are written to the ROI's control point too, and read from there when the name lost them. Positions are LPS
millimetres; ``orientation`` is a row-major 3 x 3 matrix whose columns are the axes of the box.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.errors import InputError
from spine_fracture.geometry import PatientBox
from spine_fracture.levels import LevelReading, StudyReading

SCHEMA = (
    "https://raw.githubusercontent.com/slicer/slicer/master/Modules/Loadable/Markups/Resources/Schema/"
    "markups-schema-v1.0.3.json#"
)
COLOURS: dict[Diagnosis, tuple[float, float, float]] = {
    Diagnosis.NORMAL: (0.36, 0.72, 0.45),
    Diagnosis.BENIGN_FRACTURE: (0.95, 0.75, 0.25),
    Diagnosis.MALIGNANT: (0.86, 0.25, 0.25),
    Diagnosis.HEMANGIOMA: (0.35, 0.55, 0.90),
}
_LEVEL_NAME = re.compile(r"^\s*(?P<level>[CTLS]\d{1,2})\b[\s:,-]*(?P<diagnosis>[a-z][a-z_]+)?", re.IGNORECASE)
_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0])


@dataclass(frozen=True, eq=False)
class MarkedLevel:
    """A level as a person left it in Slicer; ``diagnosis`` is None when no class was written."""

    level: Level
    diagnosis: Diagnosis | None
    box: PatientBox


class _Lenient(BaseModel):
    """Slicer writes many more keys than matter here."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class _ControlPoint(_Lenient):
    label: str = ""
    description: str = ""


class _Markup(_Lenient):
    type: str
    name: str = ""
    coordinate_system: str | int = Field("LPS", alias="coordinateSystem")
    center: tuple[float, float, float] | None = None
    size: tuple[float, float, float] | None = None
    orientation: tuple[float, ...] = (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0)
    control_points: tuple[_ControlPoint, ...] = Field((), alias="controlPoints")


class _Scene(_Lenient):
    markups: tuple[_Markup, ...]


def roi_name(level: LevelReading) -> str:
    """E.g. ``L3 benign_fracture 0.83``: level, most probable class, its probability."""
    best = level.most_probable
    return f"{level.name} {best} {level.probability(best):.2f}"


def to_markups(reading: StudyReading) -> bytes:
    """The levels of a study as a scene that Slicer opens, one ROI each."""
    scene = {"@schema": SCHEMA, "markups": [_roi(level) for level in reading.levels]}
    return json.dumps(scene, indent=1).encode()


def _roi(level: LevelReading) -> dict[str, object]:
    name = roi_name(level)
    centre = level.box.centre.tolist()
    # A box does not change when its third axis is turned round, and Slicer wants a rotation.
    axes = level.box.axes * np.array([1.0, 1.0, np.sign(np.linalg.det(level.box.axes))])
    orientation = axes.ravel().tolist()
    colour = list(COLOURS[level.most_probable])
    return {
        "name": name,
        "type": "ROI",
        "coordinateSystem": "LPS",
        "coordinateUnits": "mm",
        "locked": False,
        "fixedNumberOfControlPoints": False,
        "labelFormat": "%N",
        "lastUsedControlPointNumber": 1,
        "roiType": "Box",
        "center": centre,
        "orientation": orientation,
        "size": level.box.size.tolist(),
        "insideOut": False,
        "controlPoints": [
            {
                "id": "1",
                "label": name,
                "description": "; ".join(level.reasons),
                "associatedNodeID": "",
                "position": centre,
                "orientation": orientation,
                "selected": True,
                "locked": False,
                "visibility": True,
                "positionStatus": "defined",
            }
        ],
        "measurements": [],
        "display": {"visibility": True, "opacity": 1.0, "color": colour, "selectedColor": colour},
    }


def from_markups(data: bytes) -> tuple[MarkedLevel, ...]:
    """The levels in a scene that Slicer sent.

    An ROI named after no level is Slicer's own helper and is passed over. Raises :class:`InputError`
    for anything that is not a scene, a level or class that does not exist, an ROI with a level's name and
    without an extent, a level marked twice, and a scene without any level.
    """
    try:
        scene = _Scene.model_validate_json(data)
    except ValidationError:
        raise InputError("This is not Markups JSON: save the ROIs from Slicer as .mrk.json.") from None
    marked = tuple(m for m in map(_marked, scene.markups) if m is not None)
    if not marked:
        raise InputError("No ROI is named after a level: name each one like 'L3 benign_fracture'.")
    names = [m.level for m in marked]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{name} is marked by {names.count(name)} ROIs: keep one.")
    return marked


def _marked(markup: _Markup) -> MarkedLevel | None:
    found = _named(markup) if markup.type == "ROI" else None
    if found is None:
        return None
    level = Level.parse(found["level"])
    diagnosis = Diagnosis.parse(found["diagnosis"]) if found["diagnosis"] else None
    if markup.center is None or markup.size is None or len(markup.orientation) != 9:
        raise InputError(f"The ROI of {level} has no centre, size or orientation: draw it again.")
    centre = np.array(markup.center)
    axes = np.array(markup.orientation).reshape(3, 3)
    if str(markup.coordinate_system) in ("RAS", "0"):
        centre, axes = _RAS_TO_LPS @ centre, _RAS_TO_LPS @ axes
    return MarkedLevel(level, diagnosis, PatientBox(centre, np.array(markup.size), axes))


def _named(markup: _Markup) -> re.Match[str] | None:
    texts = [markup.name, *(point.label for point in markup.control_points)]
    return next((found for text in texts if (found := _LEVEL_NAME.match(text))), None)
