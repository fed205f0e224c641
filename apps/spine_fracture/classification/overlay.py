"""A heat map as a picture to lay over a slice."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from spine_fracture.geometry import PixelBox
from spine_fracture.imaging import Pixels

#: From red over orange to pale yellow, which a grey picture has not.
_COLOURS = np.array([[200, 20, 0], [255, 90, 0], [255, 170, 20], [255, 250, 150]], np.float64)
_FAINT = 0.2  # what is cooler is left out, so that the marrow can be seen
_STRONGEST = 0.7  # share of the overlay at the hottest place
_DETAIL = 3.0  # pixels of the overlay for one of the picture
_SIDES = (24, 480)


@dataclass(frozen=True)
class Overlay:
    """A PNG with transparency that covers ``box``, in pixels of one slice and within its picture."""

    png: bytes
    box: PixelBox


def overlay(values: Pixels, region: PixelBox, rows: int, columns: int) -> Overlay:
    """Colour ``values`` (n, m) in [0, 1], which cover ``region`` of a picture of ``rows`` x ``columns``.

    Raises :class:`~spine_fracture.errors.InputError` when the region lies outside the picture.
    """
    box = region.inside(rows, columns)
    width, height = (int(np.clip(round(side * _DETAIL), *_SIDES)) for side in (box.width, box.height))
    across = box.x0 + (np.arange(width) + 0.5) * box.width / width
    down = box.y0 + (np.arange(height) + 0.5) * box.height / height
    # Where each of them lies among the values, whose centres are half a value from the region's edges.
    at_x = (across - region.x0) / region.width * values.shape[1] - 0.5
    at_y = (down - region.y0) / region.height * values.shape[0] - 0.5
    grid_x, grid_y = np.meshgrid(at_x.astype(np.float32), at_y.astype(np.float32))
    heat = cv2.remap(
        values.astype(np.float32), grid_x, grid_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    picture = Image.fromarray(_coloured(np.clip(heat, 0, 1)), "RGBA")
    stream = io.BytesIO()
    picture.save(stream, format="PNG")
    return Overlay(stream.getvalue(), box)


def _coloured(heat: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """(rows, columns) in [0, 1] to (rows, columns, 4) uint8."""
    stops = np.linspace(0, 1, len(_COLOURS))
    shade = np.clip((heat - _FAINT) / (1 - _FAINT), 0, 1)
    parts = [np.interp(shade, stops, _COLOURS[:, channel]) for channel in range(3)]
    opacity = 255 * _STRONGEST * shade
    return np.asarray(np.stack([*parts, opacity], axis=-1).round(), dtype=np.uint8)
