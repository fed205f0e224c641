"""Stored crops to what the network reads: cut, moved, turned, relit and standardised.

A whole batch at once, on tensors. The plain view of validation is the same path with nothing drawn.
Inside, T1 and T2 are separate rows: (2n, 3, size, size), T1 of a sample before its T2.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from spine_fracture.training.classifiers.cache import STORED_MARGIN
from spine_fracture.training.classifiers.config import Augmentation

Crops = npt.NDArray[np.uint8]
References = npt.NDArray[np.float32]


def plain_view(crops: Crops, references: References, size: int, margin: float) -> torch.Tensor:
    """Stored crops (n, 6, 96, 96) and references (n, 2, 2) to standardised (n, 6, size, size)."""
    n = len(crops)
    zoom, still = torch.full((2 * n,), margin / STORED_MARGIN), torch.zeros(2 * n)
    signal = cut(_by_sequence(crops, zoom.device), zoom, zoom, still, still, still, size)
    return standardised(signal, _rows(references, zoom.device)).reshape(n, 6, size, size)


def augmented_view(
    crops: Crops,
    references: References,
    size: int,
    margin: float,
    how: Augmentation,
    generator: torch.Generator,
) -> torch.Tensor:
    """As :func:`plain_view`, changed at random within ``how``; made on the generator's device."""
    n, device = len(crops), generator.device

    def drawn(reach: float, *, alike: bool = False) -> torch.Tensor:
        """Uniform within +-reach, one value a row; ``alike`` for T1 and T2 of a sample. (2n,)"""
        values = torch.rand((n, 1 if alike else 2), device=device, generator=generator) * 2 - 1
        return (reach * values).expand(n, 2).reshape(-1)

    scale = margin / STORED_MARGIN * torch.exp(drawn(how.scale, alike=True))
    squeeze = torch.exp(drawn(how.scale / 3, alike=True))
    across, along = ((drawn(how.shift, alike=True) + drawn(how.slip)) * 2 / STORED_MARGIN for _ in range(2))
    turn = drawn(math.radians(how.turn), alike=True)
    signal = cut(_by_sequence(crops, device), scale * squeeze, scale / squeeze, across, along, turn, size)
    present = signal.amax(dim=(1, 2, 3), keepdim=True) > 0
    curved, reference = bent(signal, _rows(references, device), torch.exp(drawn(how.gamma)))
    standard = standardised(curved * bias_field(drawn(how.bias), drawn(math.pi), size), reference)
    standard = standard * wide(torch.exp(drawn(how.gain))) + wide(drawn(how.offset))
    standard = sharpened(standard, drawn(how.sharpness))
    standard += wide(drawn(how.noise).abs()) * torch.randn(standard.shape, device=device, generator=generator)
    pairs = (standard * present).reshape(n, 2, 3, size, size)
    return _with_gaps(pairs, present.reshape(n, 2), how, generator).reshape(n, 6, size, size)


def _by_sequence(crops: Crops, device: torch.device) -> torch.Tensor:
    return torch.tensor(crops, device=device).float().div_(255).reshape(-1, 3, *crops.shape[2:])


def _rows(references: References, device: torch.device) -> torch.Tensor:
    return torch.tensor(references, device=device).reshape(-1, 2)


def wide(values: torch.Tensor) -> torch.Tensor:
    """One value a row, to be spread over its channels and pixels."""
    return values[:, None, None, None]


def cut(
    signal: torch.Tensor,
    width: torch.Tensor,
    height: torch.Tensor,
    across: torch.Tensor,
    along: torch.Tensor,
    turn: torch.Tensor,
    size: int,
) -> torch.Tensor:
    """Resample rows (rows, channels, stored, stored) linearly, each by its own numbers (rows,): the part
    cut out, as shares of the stored square, moved (in halves of it) and turned (radians).
    """
    cosine, sine = torch.cos(turn), torch.sin(turn)
    theta = torch.stack(
        [
            torch.stack([width * cosine, -height * sine, across], dim=1),
            torch.stack([width * sine, height * cosine, along], dim=1),
        ],
        dim=1,
    )
    grid = functional.affine_grid(theta, [len(signal), 1, size, size], align_corners=False)
    return functional.grid_sample(signal, grid, align_corners=False)


def bent(
    signal: torch.Tensor, reference: torch.Tensor, gamma: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """A gamma curve on the signal, and what it makes of the study's centre and spread."""
    centre, spread = reference.clamp(min=0).unbind(dim=1)
    above, below = (centre + spread) ** gamma, (centre - spread).clamp(min=0) ** gamma
    stretched = torch.where(centre > 0, ((above - below) / 2).clamp(min=1e-3), spread)
    return signal ** wide(gamma), torch.stack([centre**gamma, stretched], dim=1)


def standardised(signal: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Rows centred and scaled by their references (rows, 2)."""
    return (signal - wide(reference[:, 0])) / wide(reference[:, 1])


def bias_field(strength: torch.Tensor, direction: torch.Tensor, size: int) -> torch.Tensor:
    """A coil's shading, (rows, 1, size, size): ``strength`` more signal at the edge ``direction`` names."""
    line = torch.linspace(-1, 1, size, device=strength.device)
    slope = torch.cos(direction)[:, None, None] * line + torch.sin(direction)[:, None, None] * line[:, None]
    return (1 + strength[:, None, None] * slope).clamp(min=0.2)[:, None]


def sharpened(signal: torch.Tensor, amount: torch.Tensor) -> torch.Tensor:
    """Blurred where ``amount`` is below zero, its fine detail raised where above."""
    smooth = functional.avg_pool2d(signal, 5, stride=1, padding=2, count_include_pad=False)
    return signal + wide(amount) * (signal - smooth)


def _with_gaps(
    pairs: torch.Tensor, present: torch.Tensor, how: Augmentation, generator: torch.Generator
) -> torch.Tensor:
    """Leave out T1, T2, or the neighbouring slices of some samples; pairs (n, 2, 3, size, size).

    A sequence stays where the other is not ``present`` (n, 2): a blank sample would teach its class all the
    same.
    """
    n, device = len(pairs), generator.device
    lone = (torch.rand(n, device=device, generator=generator) < how.lone_slice)[:, None, None, None, None]
    pairs = torch.where(lone, pairs[:, :, 1:2].expand_as(pairs), pairs)
    chance = torch.rand(n, device=device, generator=generator)
    kept = torch.stack([chance >= how.missing, (chance < how.missing) | (chance >= 2 * how.missing)], dim=1)
    kept |= ~present.flip(1)
    return pairs * kept[:, :, None, None, None]
