"""What the radiograph models read: pictures of one size, local contrast evened out, views joined.

Inputs as in Chou et al.: AP, Lateral, Merge (both as samples of one model), Concat (side by side) and
ChConcat (as channels).
"""

from __future__ import annotations

from enum import StrEnum

import cv2
import numpy as np
import torch

from spine_fracture.configuration import Config, Count, Positive, Side
from spine_fracture.radiography import Picture, Radiograph, View

#: Mean and deviation of ImageNet's grey, which its weights expect; as good as any from scratch.
_MEAN, _DEVIATION = 0.449, 0.226


class InputForm(StrEnum):
    AP = "ap"
    LATERAL = "lateral"
    MERGE = "merge"
    CONCAT = "concat"
    CHCONCAT = "chconcat"

    @property
    def readings(self) -> tuple[tuple[View, ...], ...]:
        """The views of each time that a patient is read: Merge reads a patient twice."""
        return _READINGS[self]

    @property
    def channels(self) -> int:
        return 2 if self is InputForm.CHCONCAT else 1


_READINGS: dict[InputForm, tuple[tuple[View, ...], ...]] = {
    InputForm.AP: ((View.AP,),),
    InputForm.LATERAL: ((View.LATERAL,),),
    InputForm.MERGE: ((View.AP,), (View.LATERAL,)),
    InputForm.CONCAT: ((View.AP, View.LATERAL),),
    InputForm.CHCONCAT: ((View.AP, View.LATERAL),),
}


class PictureConfig(Config):
    """Size of a view in pixels, and CLAHE's clip limit and tiles along each side (Pizer et al. 1987)."""

    rows: Side = 320
    columns: Side = 192
    clip: Positive = 2.0
    tiles: Count = 8


def prepared(radiograph: Radiograph, config: PictureConfig) -> Picture:
    """(rows, columns) uint8: whole, its proportions kept, in the middle of black, after CLAHE."""
    high, wide = radiograph.pixels.shape[0] * radiograph.aspect, radiograph.pixels.shape[1]
    scale = min(config.rows / high, config.columns / wide)
    rows = min(config.rows, max(1, round(high * scale)))
    columns = min(config.columns, max(1, round(wide * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(radiograph.pixels, (columns, rows), interpolation=how)
    even = cv2.createCLAHE(config.clip, (config.tiles, config.tiles)).apply(small)
    whole = np.zeros((config.rows, config.columns), np.uint8)
    top, left = (config.rows - rows) // 2, (config.columns - columns) // 2
    whole[top : top + rows, left : left + columns] = even
    return whole


def joined(form: InputForm, views: torch.Tensor) -> torch.Tensor:
    """Grey (n, views, rows, columns) of one reading in [0, 1] to what the network reads.

    One view: (n, 1, rows, columns); Concat (n, 1, rows, 2 columns), AP on the left; ChConcat (n, 2, rows,
    columns).
    """
    standard = (views - _MEAN) / _DEVIATION
    if form is InputForm.CONCAT:
        return torch.cat([standard[:, :1], standard[:, 1:]], dim=3)
    return standard
