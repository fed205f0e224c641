"""Stored crops of any sequences to what a slice network reads, plain or changed at random.

The steps are those of :mod:`spine_fracture.training.classifiers.augmentation`; each channel is a row there.
"""

from __future__ import annotations

import math

import torch

from spine_fracture.training.classifiers.augmentation import (
    bias_field,
    cut,
    sharpened,
    standardised,
    wide,
)
from spine_fracture.training.classifiers.config import Augmentation

#: Crops are stored this much wider than they are read, so that they can be moved, widened and turned.
ROOM = 1.4
_REACH = Augmentation()


def plain_slices(crops: torch.Tensor, references: torch.Tensor, size: int) -> torch.Tensor:
    """Stored crops (n, channels, side, side) uint8 and references (n, channels, 2) to standardised
    (n, channels, size, size).
    """
    n, channels = crops.shape[:2]
    zoom, still = torch.full((n,), 1 / ROOM, device=crops.device), torch.zeros(n, device=crops.device)
    signal = cut(crops.float() / 255, zoom, zoom, still, still, still, size)
    rows = standardised(signal.reshape(n * channels, 1, size, size), references.reshape(-1, 2))
    return rows.reshape(n, channels, size, size)


def changed_slices(
    crops: torch.Tensor, references: torch.Tensor, size: int, strength: float, generator: torch.Generator
) -> torch.Tensor:
    """As :func:`plain_slices`, moved, widened, turned, relit and blurred within ``strength`` times what the
    six-channel classifier learns with. Never mirrored: a spine has a front and a head.
    """
    n, channels = crops.shape[:2]

    def drawn(reach: float, count: int) -> torch.Tensor:
        values = torch.rand(count, device=generator.device, generator=generator) * 2 - 1
        return strength * reach * values

    zoom = torch.exp(drawn(_REACH.scale, n)) / ROOM
    squeeze = torch.exp(drawn(_REACH.scale / 3, n))
    across, along = (drawn(_REACH.shift, n) * 2 / ROOM for _ in range(2))
    turn = drawn(math.radians(_REACH.turn), n)
    signal = cut(crops.float() / 255, zoom * squeeze, zoom / squeeze, across, along, turn, size)
    rows = signal.reshape(n * channels, 1, size, size)
    lit = rows * bias_field(drawn(_REACH.bias, len(rows)), drawn(math.pi, len(rows)), size)
    standard = standardised(lit, references.reshape(-1, 2))
    standard = standard * wide(torch.exp(drawn(_REACH.gain, len(rows)))) + wide(
        drawn(_REACH.offset, len(rows))
    )
    standard = sharpened(standard, drawn(_REACH.sharpness, len(rows)))
    noise = torch.randn(standard.shape, device=generator.device, generator=generator)
    standard = standard + wide(drawn(_REACH.noise, len(rows)).abs()) * noise
    return standard.reshape(n, channels, size, size)
