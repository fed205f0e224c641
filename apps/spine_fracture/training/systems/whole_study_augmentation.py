"""Stored crops of whole studies to what the network reads, plain or changed at random.

The steps are those of :mod:`spine_fracture.training.classifiers.augmentation`. What a scanner does (gamma,
sharpness, noise) is drawn once a study and sequence, what a detector does (place, size) once a level, and
gain and offset half and half: levels of a study stay comparable with each other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from spine_fracture.classification.packing import Packing
from spine_fracture.training.classifiers.augmentation import (
    bent,
    bias_field,
    cut,
    sharpened,
    standardised,
    wide,
)
from spine_fracture.training.classifiers.cache import STORED_MARGIN
from spine_fracture.training.classifiers.config import Augmentation


@dataclass(frozen=True, eq=False)
class Changes:
    """How each sequence of each crop is changed, (crops, sequences) each: ``width`` and ``height`` shares of
    the stored square, ``across`` and ``along`` in halves of it, ``turn`` and ``direction`` in radians;
    ``gamma`` and ``gain`` factors, ``offset`` and ``noise`` in spreads, ``bias`` and ``sharpness`` as in
    :class:`Augmentation`.
    """

    width: Tensor
    height: Tensor
    across: Tensor
    along: Tensor
    turn: Tensor
    gamma: Tensor
    gain: Tensor
    offset: Tensor
    noise: Tensor
    bias: Tensor
    direction: Tensor
    sharpness: Tensor

    def to(self, device: torch.device) -> Changes:
        return Changes(**{f.name: getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)})


def drawn_changes(
    how: Augmentation,
    margin: float,
    slices: Packing,
    levels: Packing,
    sequences: int,
    rng: np.random.Generator,
) -> Changes:
    """Changes within ``how`` for studies packed as the network reads them."""
    of_level = slices.sequence.numpy()
    of_study = levels.sequence.numpy()[of_level]

    def level(reach: float, *, alike: bool = False) -> npt.NDArray[np.float32]:
        """Uniform within +-reach, one value a level and sequence, or ``alike`` for all sequences."""
        return np.asarray(_rows(rng, reach, slices.count, 1 if alike else sequences, sequences)[of_level])

    def study(reach: float) -> npt.NDArray[np.float32]:
        return np.asarray(_rows(rng, reach, levels.count, sequences, sequences)[of_study])

    scale = margin / STORED_MARGIN * np.exp(level(how.scale, alike=True))
    squeeze = np.exp(level(how.scale / 3, alike=True))
    across, along = ((level(how.shift, alike=True) + level(how.slip)) * 2 / STORED_MARGIN for _ in range(2))
    drawn = {
        "width": scale * squeeze,
        "height": scale / squeeze,
        "across": across,
        "along": along,
        "turn": level(math.radians(how.turn), alike=True),
        "gamma": np.exp(study(how.gamma)),
        "gain": np.exp((study(how.gain) + level(how.gain)) / 2),
        "offset": (study(how.offset) + level(how.offset)) / 2,
        "noise": np.abs(study(how.noise)),
        "bias": level(how.bias),
        "direction": level(math.pi),
        "sharpness": study(how.sharpness),
    }
    return Changes(**{name: torch.from_numpy(values) for name, values in drawn.items()})


def changed_view(crops: Tensor, references: Tensor, present: Tensor, changes: Changes, size: int) -> Tensor:
    """As :func:`plain_view`, with ``changes``; the noise is torch's own.

    What is not ``present`` (crops, sequences) is left out.
    """
    rows = Changes(**{f.name: getattr(changes, f.name).flatten() for f in fields(changes)})
    signal = cut(_by_sequence(crops), rows.width, rows.height, rows.across, rows.along, rows.turn, size)
    curved, reference = bent(signal, references.flatten(0, 1), rows.gamma)
    standard = standardised(curved * bias_field(rows.bias, rows.direction, size), reference)
    standard = sharpened(standard * wide(rows.gain) + wide(rows.offset), rows.sharpness)
    standard = standard + wide(rows.noise) * torch.randn_like(standard)
    return (standard * wide(present.flatten())).reshape(*crops.shape[:2], size, size)


def plain_view(crops: Tensor, references: Tensor, size: int, margin: float) -> Tensor:
    """Stored crops (crops, sequences, 96, 96) uint8 and references (crops, sequences, 2) to standardised
    (crops, sequences, size, size), on the device that they are on.
    """
    signal = _by_sequence(crops)
    zoom, still = signal.new_full((len(signal),), margin / STORED_MARGIN), signal.new_zeros(len(signal))
    cropped = cut(signal, zoom, zoom, still, still, still, size)
    return standardised(cropped, references.flatten(0, 1)).reshape(*crops.shape[:2], size, size)


def _by_sequence(crops: Tensor) -> Tensor:
    """Each sequence of each crop a row of its own, (crops * sequences, 1, 96, 96) in [0, 1]."""
    return (crops.float() / 255).flatten(0, 1)[:, None]


def _rows(
    rng: np.random.Generator, reach: float, rows: int, drawn: int, columns: int
) -> npt.NDArray[np.float32]:
    values = rng.uniform(-reach, reach, (rows, drawn)).astype(np.float32)
    return np.broadcast_to(values, (rows, columns))
