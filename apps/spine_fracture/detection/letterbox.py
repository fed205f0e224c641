"""Pictures of any size on the network's canvas, and boxes back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from spine_fracture.errors import InputError
from spine_fracture.geometry import PixelBox
from spine_fracture.imaging import Pixels

#: Canvas sides are multiples of the network's coarsest stride.
_MULTIPLE = 32


@dataclass(frozen=True)
class Letterbox:
    """Pictures of ``rows`` x ``columns`` sized to the area of a square of side ``size``, black beyond.

    Area and not length is kept, so that a tall whole-spine picture is not read smaller, body for
    body, than a square lumbar one must be.
    """

    rows: int
    columns: int
    size: int

    def __post_init__(self) -> None:
        if min(self.rows, self.columns) < 2:
            raise InputError(f"A picture of {self.rows} x {self.columns} pixels is too small to look at.")

    @property
    def filled(self) -> tuple[int, int]:
        """Rows and columns of the canvas that the picture fills."""
        scale = self.size / math.sqrt(self.rows * self.columns)
        return max(round(self.rows * scale), 1), max(round(self.columns * scale), 1)

    @property
    def canvas(self) -> tuple[int, int]:
        """Rows and columns of the canvas, each a multiple of 32."""
        rows, columns = self.filled
        return -(-rows // _MULTIPLE) * _MULTIPLE, -(-columns // _MULTIPLE) * _MULTIPLE

    @property
    def resampling(self) -> int:
        """OpenCV's way to size the picture: means where it shrinks, linear where it grows."""
        return cv2.INTER_AREA if self.filled[0] < self.rows else cv2.INTER_LINEAR

    def place(self, pixels: Pixels) -> Pixels:
        """(n, channels, rows, columns) to (n, channels, *canvas)."""
        rows, columns = self.filled
        placed = np.zeros((*pixels.shape[:2], *self.canvas), np.float32)
        if (rows, columns) == (self.rows, self.columns):
            placed[:, :, :rows, :columns] = pixels
            return placed
        for target, source in zip(placed, pixels, strict=True):
            for canvas, picture in zip(target, source, strict=True):
                canvas[:rows, :columns] = cv2.resize(picture, (columns, rows), interpolation=self.resampling)
        return placed

    def back(self, x0: float, y0: float, x1: float, y1: float) -> PixelBox | None:
        """A box on the canvas in pixels of the picture, cut at its edges; None if nothing is left."""
        rows, columns = self.filled
        sx, sy = self.columns / columns, self.rows / rows
        x0, x1 = max(x0 * sx, 0.0), min(x1 * sx, float(self.columns))
        y0, y1 = max(y0 * sy, 0.0), min(y1 * sy, float(self.rows))
        return PixelBox(x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None
