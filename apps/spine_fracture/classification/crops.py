"""From boxes on slices to what the six-channel network reads.

Yeh et al. 2022 cut a square holding the whole vertebra, resize it linearly to 64 x 64 and stack
the slice and both neighbours of T1 and T2. Intensities are centred and scaled per sequence, here
by the signal of the whole study's vertebrae rather than of one crop: a body darker than the others
of the same patient then stays darker, which is what a reader goes by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torchvision.ops import roi_align

from spine_fracture.errors import InputError
from spine_fracture.geometry import PixelBox
from spine_fracture.imaging import Pixels

#: A level's box on one slice of the stack: the slice's index and the box in pixels of its grid.
BoxOnSlice = tuple[int, PixelBox]

CHANNELS = 6
#: Channels of the slice itself in T1 and T2; those beside each are its neighbours.
OWN_CHANNELS = (1, 4)
_QUARTILES_OF_NORMAL = 1.349  # distance of the quartiles of a normal distribution in deviations
_BODY = 0.5  # the share of a box, about its centre, that is marrow even when the box is loose


@dataclass(frozen=True, eq=False)
class SignalReference:
    """What is ordinary in a study: ``centre`` and ``spread``, shape (sequences,), T1 and T2 first.

    ``centre`` is the median over levels of the median signal of the body, ``spread`` the median
    over levels of the crop's deviation, taken from its quartiles so that bright fluid and fat do not
    dwarf what happens in marrow. A missing sequence has centre 0, spread 1.
    """

    centre: npt.NDArray[np.float32]
    spread: npt.NDArray[np.float32]


def level_crops(pixels: Pixels, boxes: Sequence[BoxOnSlice], size: int, margin: float = 1.0) -> Pixels:
    """Cut squares of ``margin`` times the longer side of each box, resized linearly to ``size``.

    ``pixels`` has shape (slices, 2, rows, columns); the answer (boxes, 6, size, size), float32:
    T1 of the slice before, of the slice, of the slice after, then T2 likewise. A missing neighbour
    is the slice itself; what lies outside the picture is 0.
    """
    if pixels.ndim != 4 or pixels.shape[1] != 2:
        raise InputError(f"Crops need pixels of shape (slices, 2, rows, columns), got {pixels.shape}.")
    by_sequence = slice_crops(pixels, boxes, size, margin, steps=(-1, 0, 1)).swapaxes(1, 2)
    return np.ascontiguousarray(by_sequence).reshape(len(boxes), CHANNELS, size, size)


def slice_crops(
    pixels: Pixels, boxes: Sequence[BoxOnSlice], size: int, margin: float, steps: tuple[int, ...] = (0,)
) -> Pixels:
    """Cut the same squares from any number of channels, and from the slices ``steps`` away.

    ``pixels`` (slices, channels, rows, columns); the answer (boxes, steps, channels, size, size), float32.
    """
    last = len(pixels) - 1
    if any(not 0 <= index <= last for index, _ in boxes):
        raise InputError(f"A box lies on a slice that the stack of {last + 1} does not have.")
    shape = (len(boxes), len(steps), pixels.shape[1], size, size)
    if not boxes:
        return np.zeros(shape, np.float32)
    regions = [
        (min(max(index + step, 0), last), *box.square(margin).as_tuple())
        for index, box in boxes
        for step in steps
    ]
    # One bilinear sample a pixel, more where squares are a good deal larger than the crop and would alias.
    largest = max(max(box.width, box.height) for _, box in boxes) * margin
    cut = roi_align(
        torch.from_numpy(np.ascontiguousarray(pixels, dtype=np.float32)),
        torch.tensor(regions, dtype=torch.float32),
        output_size=size,
        sampling_ratio=max(1, round(largest / size)),
        aligned=True,
    )
    return np.asarray(cut.reshape(shape).numpy())


def signal_reference(crops: Pixels, margin: float) -> SignalReference:
    """The reference of a study from one crop a level, (levels, 6, size, size), cut at ``margin``."""
    return channel_reference(crops[:, OWN_CHANNELS], margin)


def channel_reference(own: Pixels, margin: float) -> SignalReference:
    """The reference of each channel of one crop a level, (levels, channels, size, size)."""
    size = own.shape[-1]
    half = max(1, round(size * _BODY / margin / 2))
    body = slice(size // 2 - half, size // 2 + half)
    centre = np.median(np.median(own[..., body, body], axis=(2, 3)), axis=0)
    low, high = np.percentile(own, (25, 75), axis=(2, 3))
    spread = np.median(high - low, axis=0) / _QUARTILES_OF_NORMAL
    present = own.any(axis=(0, 2, 3))
    return SignalReference(
        np.where(present, centre, 0.0).astype(np.float32),
        np.where(present & (spread > 0), spread, 1.0).astype(np.float32),
    )


def standardise(crops: Pixels, reference: SignalReference) -> Pixels:
    """Centre and scale each sequence of crops (n, channels, size, size), one or three channels a
    sequence; a missing one stays zero.
    """
    each = crops.shape[1] // len(reference.centre)
    centre = np.repeat(reference.centre, each)[:, None, None]
    spread = np.repeat(reference.spread, each)[:, None, None]
    return np.asarray((crops - centre) / spread, dtype=np.float32)


def middle(boxes: Sequence[BoxOnSlice], count: int) -> tuple[BoxOnSlice, ...]:
    """At most ``count`` boxes about the middle slice of a level, in the order of the slices."""
    ordered = sorted(boxes, key=lambda item: item[0])
    start = max(0, (len(ordered) - count) // 2)
    return tuple(ordered[start : start + count])


def without_sequence(crops: Pixels, sequence: int) -> Pixels:
    """A copy of standardised crops with T1 (0) or T2 (1) missing."""
    left = crops.copy()
    left[:, 3 * sequence : 3 * sequence + 3] = 0.0
    return left
