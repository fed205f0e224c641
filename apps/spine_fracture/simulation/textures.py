"""Smooth random fields, for marrow texture, lesion borders and displacement."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

FloatField = npt.NDArray[np.float32]


def smooth_noise(shape: Sequence[int], scale: Sequence[float], rng: np.random.Generator) -> FloatField:
    """Noise of mean about 0 and deviation about 1, shape (slices, rows, columns), whose grain is
    ``scale`` voxels along each axis.
    """
    slices, rows, columns = shape
    coarse = [int(np.ceil(n / s)) + 3 for n, s in zip(shape, scale, strict=True)]
    grid = rng.standard_normal(coarse, dtype=np.float32)
    size = (round((coarse[2] - 1) * scale[2]) + 1, round((coarse[1] - 1) * scale[1]) + 1)
    wide = np.stack(
        [cv2.resize(plane, size, interpolation=cv2.INTER_CUBIC)[:rows, :columns] for plane in grid]
    )
    at = np.arange(slices, dtype=np.float32) / np.float32(scale[0])
    low = at.astype(int)
    share = (at - low)[:, None, None]
    field: FloatField = wide[low] * (1 - share) + wide[low + 1] * share
    return (field / max(float(field[:: max(1, slices // 8)].std()), 1e-6)).astype(np.float32)
