"""One level as a reader would look at it: T1 and T2 side by side, the box drawn."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
from PIL import Image

from spine_fracture.evaluation.reports.drawing import DrawnBox, beside, crop, draw, grey
from spine_fracture.geometry import PixelBox
from spine_fracture.imaging import CHANNELS

_MARGIN = 3.2
_SIDE = 300
_TEXT = 20  # pixels: pages show the picture at about half its size


def level_picture(channels: npt.NDArray[Any], box: PixelBox, label: str) -> Image.Image:
    """The neighbourhood of ``box``, in pixels, on every sequence of a slice (channels, rows, columns), the
    channels as in CHANNELS; those that are all zeros are missing and left out.
    """
    frame = box.square(_MARGIN)
    inner = box.shifted(-round(frame.x0), -round(frame.y0))
    parts = [
        (str(sequence), crop(grey(channel), frame))
        for sequence, channel in zip(CHANNELS, channels, strict=False)
        if channel.any()
    ]
    scale, boxes = _SIDE / max(round(frame.x1) - round(frame.x0), 1), [DrawnBox(inner, label)]
    return beside([draw(part, boxes, scale=scale, text=_TEXT, name=name) for name, part in parts])
