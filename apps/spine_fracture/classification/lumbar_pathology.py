"""Is this vertebra healthy, or diseased? A ConvNeXt answers for each slice, trees join the slices.

After "Automatic detection of spinal pathologies based on MRI scans", Eur Spine J 2026, 35(3):1345, which
reads T2 alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
import torch
from pydantic import AfterValidator, Field
from torch import nn

from spine_fracture.anatomy import Diagnosis
from spine_fracture.bundle import Manifest, read_attachment
from spine_fracture.classification.classifier import LevelOpinion
from spine_fracture.classification.convnext import ConvNeXtTrunk, convnext
from spine_fracture.classification.crops import (
    BoxOnSlice,
    SignalReference,
    channel_reference,
    middle,
    slice_crops,
    standardise,
)
from spine_fracture.classification.networks import load_network
from spine_fracture.classification.slice_joiner import (
    LevelFeatures,
    SliceEvidence,
    SliceJoiner,
    level_features,
)
from spine_fracture.classification.slices import (
    channels_of,
    moved_views,
    refuse_without_boxes,
    two_sided_opinions,
)
from spine_fracture.configuration import Config, Positive
from spine_fracture.detection.confidence import Confidences, box_confidences, shipped_finder
from spine_fracture.detection.finder import BoxFinder
from spine_fracture.imaging import CHANNELS, Pixels
from spine_fracture.imaging import Sequence as MrSequence

FAMILY = "lumbar_pathology"
#: Classes of the network's answers.
CLASSES: tuple[Diagnosis, ...] = (Diagnosis.NORMAL, Diagnosis.MALIGNANT)
#: The bundle's attachment with the trees.
TREES = "slices.lightgbm.txt"
_FORWARD_BATCH = 256


def _each_once(sequences: tuple[MrSequence, ...]) -> tuple[MrSequence, ...]:
    if len(set(sequences)) != len(sequences) or not set(sequences) <= set(CHANNELS):
        raise ValueError(f"name each sequence once, out of {', '.join(CHANNELS)}")
    return sequences


class SliceConfig(Config):
    """What is needed to run the network again; kept in the model's manifest.

    ``sequences`` are its channels, one to three; a study must have all of them. Crops are squares of
    ``margin`` times the longer side of a box, resized to ``size`` pixels, at least 32. ``drop_path`` matters
    in training alone.
    """

    trunk: ConvNeXtTrunk = "convnext_tiny"
    sequences: Annotated[
        tuple[MrSequence, ...], Field(min_length=1, max_length=3), AfterValidator(_each_once)
    ] = (MrSequence.T2,)
    size: Annotated[int, Field(ge=32)] = 64
    margin: Positive = 1.35
    drop_path: Annotated[float, Field(ge=0, lt=1)] = 0.1


def slice_network(config: SliceConfig) -> nn.Module:
    """(n, sequences, size, size) standardised crops to (n, 2) logits of healthy and diseased."""
    network: nn.Module = convnext(config.trunk, len(config.sequences), len(CLASSES), config.drop_path)
    return network


def study_reference(
    pixels: Pixels, levels: Sequence[Sequence[BoxOnSlice]], config: SliceConfig
) -> SignalReference:
    """What is ordinary in a study, from each level's middle slice; ``pixels`` have the sequences alone."""
    keys = [box for boxes in levels for box in middle(boxes, 1)]
    crops = slice_crops(pixels, keys, config.size, config.margin)[:, 0]
    return channel_reference(crops, config.margin)


class LumbarPathologyModel:
    """A trained network and its trees: a :class:`~spine_fracture.classification.model.LevelModel`."""

    def __init__(
        self,
        manifest: Manifest,
        config: SliceConfig,
        network: nn.Module,
        joiner: SliceJoiner,
        finder: BoxFinder,
    ) -> None:
        self.manifest = manifest
        self.config = config
        self._network = network
        self._joiner = joiner
        self._finder = finder

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a bundle, its sha256 checked; raises :class:`ModelFileError` when it does not fit."""
        manifest, config, network = load_network(folder, FAMILY, CLASSES, SliceConfig, slice_network)
        joiner = SliceJoiner.from_text(read_attachment(folder, manifest, TREES).decode())
        return cls(manifest, config, network, joiner, shipped_finder())

    @property
    def version(self) -> str:
        return self.manifest.version

    @property
    def sequences(self) -> tuple[MrSequence, ...]:
        return self.config.sequences

    def classify(self, pixels: Pixels, levels: Sequence[Sequence[BoxOnSlice]]) -> tuple[LevelOpinion, ...]:
        """One opinion a level: healthy as normal, diseased as malignant, the rest 0.

        ``pixels`` (slices, 2 or more, rows, columns) in [0, 1]. Give all levels of the study at once: a level
        is seen against the others. The package's detector looks at the slices, to say how surely it finds the
        boxes, as it did at those that the trees learned from: boxes may be a reader's, or another detector's.
        Raises :class:`InputError` where a sequence is missing.
        """
        refuse_without_boxes(levels)
        if not levels:
            return ()
        return self.judge(pixels, levels, box_confidences(self._finder, pixels, levels))

    def judge(
        self, pixels: Pixels, levels: Sequence[Sequence[BoxOnSlice]], confidences: Confidences
    ) -> tuple[LevelOpinion, ...]:
        """As :meth:`classify`, the ``confidences`` of the boxes being known already."""
        own = channels_of(pixels, self.config.sequences)
        views = [(at, view) for boxes in levels for at, box in middle(boxes, 1) for view in moved_views(box)]
        evidence, moved = slice_evidence(self._network, self.config, own, levels, confidences, views)
        features = level_features(evidence, *pixels.shape[2:])
        chances = 1 / (1 + np.exp(-self._joiner.logits(features) / self.manifest.temperature))
        spread = np.abs(moved.reshape(len(levels), -1) - [[level.middle] for level in features]).max(axis=1)
        return two_sided_opinions(Diagnosis.MALIGNANT, Diagnosis.NORMAL, chances, spread)


def slice_evidence(
    network: nn.Module,
    config: SliceConfig,
    pixels: Pixels,
    levels: Sequence[Sequence[BoxOnSlice]],
    confidences: Confidences,
    views: Sequence[BoxOnSlice] = (),
) -> tuple[list[list[SliceEvidence]], npt.NDArray[np.float64]]:
    """What ``network``, in evaluation mode, says of each slice of each level, and of further ``views``.

    ``pixels`` (slices, sequences, rows, columns) have the network's sequences alone; ``confidences`` follow
    the boxes. The second answer is the probability (views,) of disease.
    """
    reference = study_reference(pixels, levels, config)
    wanted = [*(item for boxes in levels for item in boxes), *views]
    crops = standardise(slice_crops(pixels, wanted, config.size, config.margin)[:, 0], reference)
    chances = _diseased(network, crops)
    given = iter(chances.tolist())
    evidence = [
        [SliceEvidence(at, box, next(given), sure) for (at, box), sure in zip(boxes, known, strict=True)]
        for boxes, known in zip(levels, confidences, strict=True)
    ]
    return evidence, chances[len(wanted) - len(views) :]


def study_features(
    network: nn.Module,
    config: SliceConfig,
    pixels: Pixels,
    levels: Sequence[Sequence[BoxOnSlice]],
    confidences: Confidences,
) -> tuple[LevelFeatures, ...]:
    """What the trees see of the levels of a study, ``pixels`` as in :func:`slice_evidence`."""
    evidence, _ = slice_evidence(network, config, pixels, levels, confidences)
    return level_features(evidence, *pixels.shape[2:])


def _diseased(network: nn.Module, crops: Pixels) -> npt.NDArray[np.float64]:
    device = next(network.parameters()).device
    with torch.inference_mode():
        parts = [
            network(torch.from_numpy(crops[at : at + _FORWARD_BATCH]).to(device)).softmax(dim=1)[:, 1].cpu()
            for at in range(0, len(crops), _FORWARD_BATCH)
        ]
    return np.asarray(torch.cat(parts).numpy(), dtype=np.float64)
