"""Pictures with boxes on them, for reports and for looking."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from spine_fracture.geometry import PixelBox

PREDICTED = "#ffb000"
REFERENCE = "#35d07f"
_NAME, _RIM = "#ffffff", "#000000"


@dataclass(frozen=True)
class DrawnBox:
    """A box to draw, in pixels of the picture, with its label and colour."""

    box: PixelBox
    label: str = ""
    colour: str = PREDICTED


def grey(pixels: npt.NDArray[Any]) -> Image.Image:
    """A (rows, columns) slice as a grey picture, its 1st to 99th percentile spread over 0..255."""
    low, high = np.percentile(pixels, (1, 99))
    scaled = np.clip((pixels.astype(np.float64) - low) / max(high - low, 1e-9), 0, 1)
    return Image.fromarray((scaled * 255).astype(np.uint8))


def draw(
    picture: Image.Image, boxes: Sequence[DrawnBox], *, scale: float = 2.0, text: int = 13, name: str = ""
) -> Image.Image:
    """The picture enlarged by ``scale`` with boxes and its ``name`` in the upper left corner.

    Boxes are in pixels of the original; letters are ``text`` pixels high, on a dark rim: bone is bright.
    """
    size = (round(picture.width * scale), round(picture.height * scale))
    canvas = picture.resize(size, Image.Resampling.BICUBIC).convert("RGB")
    pen = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(size=text)
    for item in boxes:
        x0, y0, x1, y1 = (value * scale for value in item.box.as_tuple())
        pen.rectangle((x0, y0, x1, y1), outline=item.colour, width=2)
        if item.label:
            pen.text((x1 + 3, y0), item.label, fill=item.colour, font=font, stroke_width=2, stroke_fill=_RIM)
    pen.text((text / 2, text / 3), name, fill=_NAME, font=font, stroke_width=2, stroke_fill=_RIM)
    return canvas


def crop(picture: Image.Image, box: PixelBox) -> Image.Image:
    """The part of the picture in ``box``, black where the box leaves the picture."""
    x0, y0, x1, y1 = (round(value) for value in box.as_tuple())
    return picture.crop((x0, y0, x1, y1))


def beside(pictures: Sequence[Image.Image], gap: int = 6) -> Image.Image:
    """Pictures in one row, tops aligned."""
    width = sum(p.width for p in pictures) + gap * (len(pictures) - 1)
    row = Image.new("RGB", (width, max(p.height for p in pictures)))
    left = 0
    for picture in pictures:
        row.paste(picture, (left, 0))
        left += picture.width + gap
    return row


def data_uri(picture: Image.Image) -> str:
    """The picture as a PNG in a ``data:`` URI, so that a report is one file."""
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
