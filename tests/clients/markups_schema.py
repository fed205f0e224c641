"""What Slicer's Markups schema 1.0.3 demands of a file, written down as a JSON schema of its own.

The published one (Slicer/Slicer, Modules/Loadable/Markups/Resources/Schema/markups-schema-v1.0.3.json)
explains each property at length; only its demands are here. It allows any further property.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
NUMBER: Schema = {"type": "number"}
NOT_NEGATIVE: Schema = {"type": "number", "minimum": 0.0}
SHARE: Schema = {"type": "number", "minimum": 0.0, "maximum": 1.0}
GLYPHS_2D = (
    *("Vertex2D", "Dash2D", "Cross2D", "ThickCross2D", "Triangle2D", "Square2D", "Circle2D", "Diamond2D"),
    *("Arrow2D", "ThickArrow2D", "HookedArrow2D", "StarBurst2D"),
)


def one_of(*words: str) -> Schema:
    return {"type": "string", "enum": list(words)}


def numbers(count: int, kind: Schema = NUMBER) -> Schema:
    return {"type": "array", "items": kind, "minItems": count, "maxItems": count}


def some(properties: dict[str, Schema], required: tuple[str, ...] = ()) -> Schema:
    return {"type": "object", "required": list(required), "properties": properties}


COLOUR = numbers(3, SHARE)
#: Of two colours the published schema leaves the type open.
LOOSE_COLOUR: Schema = {"items": SHARE, "minItems": 3, "maxItems": 3}
CODE: Schema = {"type": "array", "items": TEXT, "minItems": 3, "maxItems": 3}

CONTROL_POINT = some(
    {
        **dict.fromkeys(("id", "label", "description", "associatedNodeID"), TEXT),
        "position": numbers(3),
        "orientation": numbers(9),
        **dict.fromkeys(("selected", "locked", "visibility"), FLAG),
        "positionStatus": one_of("undefined", "preview", "defined"),
    }
)

DISPLAY = some(
    {
        **dict.fromkeys(
            (
                "visibility",
                "propertiesLabelVisibility",
                "pointLabelsVisibility",
                "useGlyphScale",
                "sliceProjection",
                "sliceProjectionUseFiducialColor",
                "sliceProjectionOutlinedBehindSlicePlane",
                "handlesInteractive",
                "translationHandleVisibility",
                "rotationHandleVisibility",
                "scaleHandleVisibility",
            ),
            FLAG,
        ),
        **dict.fromkeys(("opacity", "sliceProjectionOpacity"), SHARE),
        **dict.fromkeys(("color", "sliceProjectionColor"), COLOUR),
        **dict.fromkeys(("selectedColor", "activeColor"), LOOSE_COLOUR),
        **dict.fromkeys(
            ("textScale", "glyphScale", "glyphSize", "lineThickness", "lineColorFadingStart"), NOT_NEGATIVE
        ),
        "lineColorFadingEnd": NOT_NEGATIVE,
        **dict.fromkeys(
            ("lineColorFadingSaturation", "lineColorFadingHueOffset", "interactionHandleScale"), NUMBER
        ),
        "glyphType": one_of(*GLYPHS_2D, "Sphere3D", "Diamond3D"),
        "snapMode": one_of("unconstrained", "toVisibleSurface"),
    }
)

MEASUREMENT = some(
    {
        **dict.fromkeys(("name", "description", "printFormat"), TEXT),
        "enabled": FLAG,
        "value": NUMBER,
        "units": {"anyOf": [TEXT, CODE]},
        **dict.fromkeys(("quantityCode", "derivationCode", "methodCode"), CODE),
        "controlPointValues": {"type": "array", "items": NUMBER},
    }
)

MARKUP = some(
    {
        "type": one_of("Fiducial", "Line", "Angle", "Curve", "ClosedCurve", "Plane", "ROI"),
        **dict.fromkeys(("name", "labelFormat", "roiType", "planeType", "sizeMode"), TEXT),
        "coordinateSystem": one_of("LPS", "RAS"),
        "coordinateUnits": {"anyOf": [one_of("mm", "um"), CODE]},
        **dict.fromkeys(("locked", "fixedNumberOfControlPoints", "insideOut"), FLAG),
        "lastUsedControlPointNumber": {"type": "integer"},
        "autoScalingSizeFactor": NUMBER,
        **dict.fromkeys(("center", "normal", "size"), numbers(3)),
        "planeBounds": numbers(4),
        **dict.fromkeys(("objectToBase", "baseToNode"), numbers(16)),
        "orientation": numbers(9),
        "controlPoints": {"type": "array", "items": CONTROL_POINT},
        "display": DISPLAY,
        "measurements": {"type": "array", "items": MEASUREMENT},
    },
    required=("type",),
)

MARKUPS_1_0_3: Schema = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    **some({"@schema": TEXT, "markups": {"type": "array", "items": MARKUP}}, required=("@schema", "markups")),
}
