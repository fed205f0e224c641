"""One level as a reader would look at it: T1 and T2 side by side, the box drawn."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
from PIL import Image

from spine_fracture.evaluation.drawing import DrawnBox, beside, crop, draw, grey
from spine_fracture.geometry import PixelBox

_MARGIN = 3.2
_SIDE = 300


def level_picture(channels: npt.NDArray[Any], box: PixelBox, label: str) -> Image.Image:
    """The neighbourhood of ``box``, in pixels, on every sequence of a slice (channels, rows, columns);
    those that are all zeros are missing and left out.
    """
    frame = box.square(_MARGIN)
    inner = box.shifted(-round(frame.x0), -round(frame.y0))
    parts = [crop(grey(channel), frame) for channel in channels if channel.any()]
    scale = _SIDE / max(parts[0].width, 1)
    return beside([draw(part, [DrawnBox(inner, label)], scale=scale) for part in parts])
