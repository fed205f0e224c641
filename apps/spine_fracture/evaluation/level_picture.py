"""One level as a reader would look at it: T1 and T2 side by side, the box drawn."""

from __future__ import annotations

from PIL import Image

from spine_fracture.evaluation.drawing import DrawnBox, beside, crop, draw, grey
from spine_fracture.geometry import PixelBox
from spine_fracture.imaging import PairedStack

_MARGIN = 3.2
_SIDE = 300


def level_picture(pair: PairedStack, slice_index: int, box: PixelBox, label: str) -> Image.Image:
    """The neighbourhood of ``box`` (in pixels of the pair's grid) in every sequence that is there."""
    frame = box.square(_MARGIN)
    inner = box.shifted(-round(frame.x0), -round(frame.y0))
    present = [channel for channel in pair.pixels[slice_index] if channel.any()]
    parts = [crop(grey(channel), frame) for channel in present]
    scale = _SIDE / max(parts[0].width, 1)
    return beside([draw(part, [DrawnBox(inner, label)], scale=scale) for part in parts])
