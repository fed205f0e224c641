"""The classifier of Yeh et al. 2022: is this fractured vertebra malignant, or benign?

A square that holds the whole vertebra is cut from T1 and T2 at the same place (the series are registered
already), from a slice and both its neighbours, and resized linearly. Each of the six patches is brought to
zero mean and unit deviation of its own; a 1x1 convolution makes three channels of them, and a ResNet with
one sigmoid output answers for the slice. The vertebra has the highest answer of its slices.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from spine_fracture.anatomy import Diagnosis
from spine_fracture.bundle import Manifest
from spine_fracture.classification.classifier import LevelOpinion
from spine_fracture.classification.crops import CHANNELS, BoxOnSlice, level_crops, middle
from spine_fracture.classification.networks import load_network
from spine_fracture.classification.runtime import Forward, RuntimeName, open_runtime
from spine_fracture.classification.sixchannel import ResNetTrunk, Trunk, start_convolutions
from spine_fracture.classification.slices import channels_of, two_sided_opinions
from spine_fracture.configuration import Config, Count, Side
from spine_fracture.errors import InputError
from spine_fracture.geometry import PixelBox
from spine_fracture.imaging import Pixels
from spine_fracture.imaging import Sequence as MrSequence

NAME = "yeh2022"
#: Classes of its answers; the second is what the sigmoid is the probability of.
CLASSES: tuple[Diagnosis, ...] = (Diagnosis.BENIGN_FRACTURE, Diagnosis.MALIGNANT)
#: The other view of a vertebra that its steadiness is judged by: the square a little larger and moved, in
#: shares of its side.
_MOVED, _LARGER = (0.06, -0.05), 1.1


class FractureConfig(Config):
    """What is needed to run the network again; kept in the model's manifest.

    ``size`` is the side of the patches in pixels. Of a vertebra whose lesion nobody marked, at most
    ``slices`` about its middle are taken to hold it.
    """

    trunk: Trunk = "resnet50"
    size: Side = 64
    slices: Count = 5


class FractureNetwork(nn.Module):
    """(n, 6, size, size) patches as :func:`standardised` gives them to (n, 1) logits of malignancy."""

    def __init__(self, config: FractureConfig) -> None:
        super().__init__()
        self.mix = nn.Conv2d(CHANNELS, 3, 1)
        self.trunk = ResNetTrunk(config.trunk)
        self.head = nn.Linear(self.trunk.out_channels, 1)
        start_convolutions(self)

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.trunk(self.mix(patches)).mean(dim=(2, 3)))
        return logits


def standardised(patches: torch.Tensor) -> torch.Tensor:
    """Each (size, size) patch of (n, 6, size, size) to mean 0 and deviation 1; an even one to zeros."""
    deviation, mean = torch.std_mean(patches, dim=(2, 3), keepdim=True, correction=0)
    return (patches - mean) / deviation.where(deviation > 1e-6, 1.0)


def vertebra_square(boxes: Sequence[BoxOnSlice]) -> PixelBox:
    """The smallest square about the middle of all these boxes that holds every one of them, pixels."""
    return PixelBox.around([corner for _, box in boxes for corner in box.corners()]).square(1.0)


def centre_slices(held: Sequence[int]) -> tuple[int, ...]:
    """Those of the slices that hold a lesion whose neighbours both hold it too; where none does, all."""
    inner = tuple(at for at in sorted(held) if {at - 1, at + 1} <= set(held))
    return inner or tuple(sorted(held))


def vertebra_crops(pixels: Pixels, boxes: Sequence[BoxOnSlice], size: int, margin: float = 1.0) -> Pixels:
    """What the network reads of one vertebra, not yet standardised: (centre slices, 6, size, size) in [0, 1].

    ``pixels`` (slices, 2, rows, columns), T1 and T2; ``boxes`` on the slices that hold the lesion. The square
    is ``margin`` times as wide as :func:`vertebra_square`.
    """
    if not boxes:
        raise InputError("A level without a box cannot be classified: draw its box first.")
    square = vertebra_square(boxes)
    at = centre_slices([index for index, _ in boxes])
    first, last = max(at[0] - 1, 0), min(at[-1] + 2, len(pixels))  # cutting reads all slices it is given
    return level_crops(pixels[first:last], [(index - first, square) for index in at], size, margin)


class FractureClassifier:
    """A trained network with its crops: a :class:`~spine_fracture.classification.model.LevelModel`."""

    def __init__(self, manifest: Manifest, config: FractureConfig, forward: Forward) -> None:
        self.manifest = manifest
        self.config = config
        self._forward = forward

    @classmethod
    def load(cls, folder: Path, runtime: RuntimeName = "openvino") -> Self:
        """Read a bundle, its sha256 checked; raises :class:`ModelFileError` when it does not fit."""
        manifest, config, network = load_network(folder, NAME, CLASSES, FractureConfig, FractureNetwork)
        return cls(manifest, config, open_runtime(network, config.size, runtime))

    @property
    def version(self) -> str:
        return self.manifest.version

    @property
    def sequences(self) -> tuple[MrSequence, ...]:
        return MrSequence.T1, MrSequence.T2

    def malignancy(self, pixels: Pixels, levels: Sequence[Sequence[BoxOnSlice]]) -> npt.NDArray[np.float64]:
        """The probability (levels,) that each level is malignant: the highest of its slices.

        ``levels`` are boxes on the slices that hold the lesion.
        """
        return self._highest([vertebra_crops(pixels, boxes, self.config.size) for boxes in levels])

    def classify(self, pixels: Pixels, levels: Sequence[Sequence[BoxOnSlice]]) -> tuple[LevelOpinion, ...]:
        """One opinion a level; every level is taken to be fractured, so normal and hemangioma get 0.

        ``pixels`` (slices, 2 or more, rows, columns) in [0, 1], T1 and T2 first. Raises :class:`InputError`
        where the study lacks one of them: without it the network, which always learnt from both, calls
        everything the same.
        """
        if not levels:
            return ()
        pair = channels_of(pixels, self.sequences)
        read = [middle(boxes, self.config.slices) for boxes in levels]
        chances = self.malignancy(pair, read)
        moved = self.malignancy(pair, [[(at, _moved(box)) for at, box in boxes] for boxes in read])
        spread = np.abs(moved - chances)
        return two_sided_opinions(Diagnosis.MALIGNANT, Diagnosis.BENIGN_FRACTURE, chances, spread)

    def _highest(self, crops: Sequence[Pixels]) -> npt.NDArray[np.float64]:
        """The highest answer to each level's crops; (levels,)."""
        if not crops:
            return np.zeros(0)
        patches = standardised(torch.from_numpy(np.concatenate(crops)))
        logits = torch.from_numpy(self._forward(patches.numpy())[:, 0].astype(np.float64))
        slices = torch.sigmoid(logits / self.manifest.temperature)
        return np.array([float(part.max()) for part in torch.split(slices, [len(crop) for crop in crops])])


def _moved(box: PixelBox) -> PixelBox:
    side = max(box.width, box.height)
    dx, dy = _MOVED
    return box.shifted(dx * side, dy * side).square(_LARGER)
