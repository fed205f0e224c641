"""What the whole-study network reads of a study: which slices of which levels, and against what signal.

Squares are cut as the six-channel network's are, and each sequence is centred and scaled by the study's own
levels: a body that is darker than the others stays darker.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from spine_fracture.classification.crops import (
    BoxOnSlice,
    SignalReference,
    channel_reference,
    middle,
    slice_crops,
)
from spine_fracture.errors import InputError
from spine_fracture.imaging import CHANNELS, Pixels

#: Side in pixels of the crops that a study's usual signal is taken from.
_REFERENCE_SIZE = 64


def all_channels(pixels: Pixels) -> Pixels:
    """(slices, 2 to 4, rows, columns) with those of CHANNELS that are not given as zeros."""
    missing = len(CHANNELS) - pixels.shape[1] if pixels.ndim == 4 else -1
    if not 0 <= missing <= len(CHANNELS) - 2:
        raise InputError(
            f"A study has pixels of shape (slices, 2 to {len(CHANNELS)}, rows, columns), got {pixels.shape}."
        )
    return np.pad(pixels, ((0, 0), (0, missing), (0, 0), (0, 0)))


def head_to_foot(levels: Sequence[Sequence[BoxOnSlice]]) -> tuple[int, ...]:
    """The order of these levels along the spine, by where their boxes are; names play no part."""
    if any(not boxes for boxes in levels):
        raise InputError("A level without a box cannot be classified: draw its box first.")
    rows = [np.mean([box.centre[1] for _, box in boxes]) for boxes in levels]
    return tuple(int(at) for at in np.argsort(rows, kind="stable"))


def spread(there: int, wanted: int, at: float | npt.NDArray[np.float64] = 0.5) -> npt.NDArray[np.intp]:
    """Places of at most ``wanted`` of ``there`` things in a row: one from each of as many equal parts of it.

    ``at`` in [0, 1) is the place within its part, one for all or (wanted,).
    """
    if there <= wanted:
        return np.arange(there)
    return np.asarray((np.arange(wanted) + at) * there / wanted, dtype=np.intp)


def in_slice_order(boxes: Sequence[BoxOnSlice]) -> tuple[BoxOnSlice, ...]:
    """The boxes of a level in the order of its slices."""
    return tuple(sorted(boxes, key=lambda item: item[0]))


def study_reference(pixels: Pixels, levels: Sequence[Sequence[BoxOnSlice]], margin: float) -> SignalReference:
    """What is ordinary in a study, from the middle slice of every level."""
    keys = [middle(boxes, 1)[0] for boxes in levels]
    return channel_reference(slice_crops(pixels, keys, _REFERENCE_SIZE, margin)[:, 0], margin)
