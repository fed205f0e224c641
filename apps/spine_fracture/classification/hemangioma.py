"""Is this lesion a hemangioma, or a metastasis? A small convolutional network for one sequence.

After "Evaluating the Efficacy of Deep Learning Models for Distinguishing Spinal Hemangiomas from Common
Metastatic Tumors Across MRI Sequences" (preprint): a grey region of 256 x 256, three convolutions with max
pooling and batch normalisation, one dense layer, softmax. One model a sequence.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import nn

from spine_fracture.anatomy import Diagnosis
from spine_fracture.bundle import Manifest
from spine_fracture.classification.classifier import LevelOpinion
from spine_fracture.classification.crops import BoxOnSlice, middle, slice_crops
from spine_fracture.classification.networks import load_network
from spine_fracture.classification.slices import (
    channels_of,
    moved_views,
    refuse_without_boxes,
    two_sided_opinions,
)
from spine_fracture.configuration import Chance, Config, Count, Positive
from spine_fracture.imaging import Pixels
from spine_fracture.imaging import Sequence as MrSequence

FAMILY = "hemangioma"
#: Classes of the network's answers.
CLASSES: tuple[Diagnosis, ...] = (Diagnosis.HEMANGIOMA, Diagnosis.MALIGNANT)
OneSequence = Literal[MrSequence.T1, MrSequence.T2, MrSequence.T2_FAT_SAT, MrSequence.T1_CONTRAST]
_FORWARD_BATCH = 64


class RegionConfig(Config):
    """The network and its regions: squares of ``margin`` times the longer side of a box, resized to ``size``
    pixels, a multiple of 8. ``filters`` of the three convolutions, ``dense`` neurons after them. Of a level
    whose lesion nobody marked, at most ``slices`` about its middle are taken to hold it.
    """

    size: Annotated[int, Field(ge=16, multiple_of=8)] = 256
    margin: Positive = 1.0
    filters: tuple[Count, Count, Count] = (32, 64, 128)
    dense: Count = 128
    dropout: Chance = 0.5
    slices: Count = 3


class RegionReading(Config):
    """What is needed to run a model again; kept in its manifest."""

    sequence: OneSequence
    network: RegionConfig


class RegionNetwork(nn.Sequential):
    """(n, 1, size, size) grey in [0, 1] to (n, 2) logits of hemangioma and metastasis."""

    def __init__(self, config: RegionConfig) -> None:
        layers: list[nn.Module] = []
        inputs = 1
        for outputs in config.filters:
            layers += [
                nn.Conv2d(inputs, outputs, 3, padding=1),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.BatchNorm2d(outputs),
            ]
            inputs = outputs
        side = config.size // 2 ** len(config.filters)
        super().__init__(
            *layers,
            nn.Flatten(),
            nn.Linear(inputs * side * side, config.dense),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.dense, len(CLASSES)),
        )


class HemangiomaModel:
    """A trained network with its regions: a :class:`~spine_fracture.classification.model.LevelModel`."""

    def __init__(self, manifest: Manifest, reading: RegionReading, network: nn.Module) -> None:
        self.manifest = manifest
        self.sequence = reading.sequence
        self.config = reading.network
        self._network = network

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a bundle, its sha256 checked; raises :class:`ModelFileError` when it does not fit."""
        return cls(
            *load_network(folder, FAMILY, CLASSES, RegionReading, lambda read: RegionNetwork(read.network))
        )

    @property
    def version(self) -> str:
        return self.manifest.version

    @property
    def sequences(self) -> tuple[MrSequence, ...]:
        return (self.sequence,)

    def metastasis(self, pixels: Pixels, levels: Sequence[Sequence[BoxOnSlice]]) -> npt.NDArray[np.float64]:
        """The probability (levels,) that each lesion is a metastasis: the mean over its slices.

        ``levels`` are boxes on the slices that hold the lesion. Raises :class:`InputError` where the study
        lacks the model's sequence.
        """
        refuse_without_boxes(levels)
        if not levels:
            return np.zeros(0)
        grey = channels_of(pixels, (self.sequence,))
        size, margin = self.config.size, self.config.margin
        crops = slice_crops(grey, [item for boxes in levels for item in boxes], size, margin)[:, 0]
        with torch.inference_mode():
            parts = [
                self._network(torch.from_numpy(crops[at : at + _FORWARD_BATCH])).double()
                for at in range(0, len(crops), _FORWARD_BATCH)
            ]
        chances = (torch.cat(parts) / self.manifest.temperature).softmax(dim=1)[:, 1]
        counts = [len(boxes) for boxes in levels]
        return np.array([float(part.mean()) for part in torch.split(chances, counts)])

    def classify(self, pixels: Pixels, levels: Sequence[Sequence[BoxOnSlice]]) -> tuple[LevelOpinion, ...]:
        """One opinion a level; every level is taken to hold a lesion, so normal and fracture get 0.

        ``pixels`` (slices, 2 or more, rows, columns) in [0, 1]. Raises :class:`InputError` where the study
        lacks the model's sequence.
        """
        if not levels:
            return ()
        read = [middle(boxes, self.config.slices) for boxes in levels]
        chances = self.metastasis(pixels, read)
        views = [[(at, view) for at, box in middle(boxes, 1) for view in moved_views(box)] for boxes in read]
        single = [[(at, box)] for boxes in read for at, box in middle(boxes, 1)]
        own = self.metastasis(pixels, single)
        moved = self.metastasis(pixels, [[item] for items in views for item in items])
        spread = np.abs(moved.reshape(len(levels), -1) - own[:, None]).max(axis=1)
        return two_sided_opinions(Diagnosis.MALIGNANT, Diagnosis.HEMANGIOMA, chances, spread)
