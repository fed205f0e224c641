"""Where the six-channel network looked: Grad-CAM of one level on one slice.

Selvaraju et al. 2017 weigh the last stage's maps with their mean gradients. In a crop of 64 x 64 that
stage is 4 x 4, and such a heat map finds the altered part of a vertebra hardly more often than chance. So
the gradients are kept position by position (LayerCAM, Jiang et al. 2021), which is sound in earlier
stages too, and taken where the maps have a quarter of the crop's side.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from scipy import ndimage
from torch import nn

from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis, most_probable
from spine_fracture.bundle import Manifest
from spine_fracture.classification.classifier import join_slices, load_six_channel, softmax
from spine_fracture.classification.crops import (
    BoxOnSlice,
    level_crops,
    middle,
    signal_reference,
    standardise,
)
from spine_fracture.classification.sixchannel import SixChannelConfig, SixChannelNetwork
from spine_fracture.errors import InputError
from spine_fracture.geometry import PixelBox
from spine_fracture.imaging import Pixels

_CELL = 4  # pixels of the crop for one position of the maps that are looked at
_SMOOTH = 0.7  # positions


@dataclass(frozen=True, eq=False)
class Heat:
    """What spoke for ``diagnosis`` on one slice of a level.

    ``values`` (n, n), float32 in [0, 1], cover ``region``, a square in pixels of the grid that may leave
    the picture; 1 is the hottest place of all the level's slices that were looked at. ``probability`` is the
    calibrated one of ``diagnosis`` for the whole level.
    """

    diagnosis: Diagnosis
    probability: float
    slice_index: int
    region: PixelBox
    values: Pixels


class AttentiveClassifier:
    """A level classifier in PyTorch, which can say why. Safe to use from several threads."""

    def __init__(self, manifest: Manifest, config: SixChannelConfig, network: SixChannelNetwork) -> None:
        self.manifest = manifest
        self.config = config
        self._network = network.requires_grad_(False)
        self._one_at_a_time = threading.Lock()  # what a hook catches belongs to one request

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a bundle, its sha256 checked; raises :class:`~spine_fracture.errors.ModelFileError`."""
        return cls(*load_six_channel(folder))

    @property
    def version(self) -> str:
        return self.manifest.version

    def heat(
        self,
        pixels: Pixels,
        levels: Sequence[Sequence[BoxOnSlice]],
        which: int,
        slice_index: int,
        diagnosis: Diagnosis | None = None,
    ) -> Heat:
        """Why level ``which`` of ``levels`` is ``diagnosis``, or its most probable class, on a slice of it.

        ``pixels`` and ``levels`` are those of the whole study, as for :class:`LevelClassifier`. Raises
        :class:`InputError` when the level has no box on the slice, or the network knows no such class.
        """
        own = next((box for index, box in levels[which] if index == slice_index), None)
        if own is None:
            raise InputError(f"The level has no box on slice {slice_index}: choose one of its slices.")
        if diagnosis not in (None, *MODEL_CLASSES):
            raise InputError(f"The classifier does not answer {diagnosis}: use {', '.join(MODEL_CLASSES)}.")
        read = middle(levels[which], self.config.slices)
        looked = (*(item for item in read if item[0] != slice_index), (slice_index, own))
        crops = self._crops(pixels, levels, looked)
        with self._one_at_a_time:
            logits = self._network(torch.from_numpy(crops)).numpy().astype(np.float64)
            of_read = [at for at, item in enumerate(looked) if item in read]
            slices = softmax(logits[of_read] / self.manifest.temperature)
            probabilities = [float(p) for p in join_slices(slices, self.config.join)]
            chosen = diagnosis or most_probable(probabilities)
            answer = MODEL_CLASSES.index(chosen)
            heat = self._even(torch.from_numpy(crops), answer)
        hottest = float(heat.max())
        values = heat[-1] / hottest if hottest > 0 else heat[-1]
        return Heat(chosen, probabilities[answer], slice_index, own.square(self.config.margin), values)

    def features(self, pixels: Pixels, levels: Sequence[Sequence[BoxOnSlice]]) -> Pixels:
        """Where each level lies in the network's feature space: (levels, channels), float32, of length 1.

        The features before the last layer, their mean over the level's middle slices.
        """
        read = [middle(boxes, self.config.slices) for boxes in levels]
        crops = torch.from_numpy(self._crops(pixels, levels, [item for boxes in read for item in boxes]))
        with torch.inference_mode():
            maps = self._network.trunk(self._network.mix(crops)).mean(dim=(2, 3))
        parts = torch.split(maps, [len(boxes) for boxes in read])
        joined = torch.stack([part.mean(dim=0) for part in parts])
        return np.asarray(nn.functional.normalize(joined, dim=1).numpy(), dtype=np.float32)

    def _even(self, crops: torch.Tensor, answer: int) -> Pixels:
        """Class activation of crops, without the pattern that strides print on gradients.

        A later stage that takes every second position sends gradients back to those alone. So each crop
        is also looked at moved by one position along and across, and the four are joined.
        """
        total = np.zeros(0, np.float32)
        for down, across in ((0, 0), (0, 1), (1, 0), (1, 1)):
            moved = torch.roll(crops, (down * _CELL, across * _CELL), dims=(2, 3))
            heat = class_activation(self._network, self._stage, moved, answer)
            back = torch.roll(heat, (-down, -across), dims=(1, 2)).numpy()
            total = total + back if total.size else back
        return np.asarray(ndimage.gaussian_filter(total, (0, _SMOOTH, _SMOOTH)), dtype=np.float32)

    @property
    def _stage(self) -> nn.Module:
        """The last stage whose maps still have a quarter of the crop's side."""
        trunk = self._network.trunk
        return trunk.layer1 if self.config.pooled_stem else trunk.layer2

    def _crops(
        self, pixels: Pixels, levels: Sequence[Sequence[BoxOnSlice]], wanted: Sequence[BoxOnSlice]
    ) -> Pixels:
        """Standardised crops of ``wanted`` boxes, seen against the signal of all ``levels``."""
        if not all(levels):
            raise InputError("A level without a box cannot be looked at: draw its box first.")
        size, margin = self.config.size, self.config.margin
        keys = [boxes[len(boxes) // 2] for boxes in (middle(b, self.config.slices) for b in levels)]
        reference = signal_reference(level_crops(pixels, keys, size, margin), margin)
        return standardise(level_crops(pixels, wanted, size, margin), reference)


def class_activation(network: nn.Module, stage: nn.Module, crops: torch.Tensor, answer: int) -> torch.Tensor:
    """Grad-CAM, its weights kept by position: what in the maps of ``stage`` speaks for ``answer``.

    ``crops`` (n, channels, rows, columns) to (n, h, w), at least 0, of the size of the maps; not scaled.
    """
    caught: list[torch.Tensor] = []
    hook = stage.register_forward_hook(lambda _module, _given, maps: caught.append(maps))
    try:
        score = network(crops.detach().requires_grad_())[:, answer].sum()
    finally:
        hook.remove()
    (maps,) = caught
    (gradients,) = torch.autograd.grad(score, maps)
    return (gradients.clamp(min=0) * maps.detach()).sum(dim=1).clamp(min=0)
