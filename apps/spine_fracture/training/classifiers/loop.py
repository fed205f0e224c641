"""What the six-channel network learns, given to the one training loop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from spine_fracture.classification.sixchannel import SixChannelConfig
from spine_fracture.training.classifiers.augmentation import augmented_view, plain_view
from spine_fracture.training.classifiers.cache import CropCache
from spine_fracture.training.classifiers.config import CropTraining
from spine_fracture.training.classifiers.sampler import BalancedSampler, Index

_VALIDATION_DRAWS = 1200  # at most; few held-out samples are drawn a few times each
_FORWARD_BATCH = 256


@dataclass(frozen=True, eq=False)
class CropBatch:
    """``crops`` (n, 6, 96, 96) uint8 and ``references`` (n, 2, 2) as stored, ``labels`` (n,) indices in
    MODEL_CLASSES, and the ``seed`` of how they are changed.
    """

    crops: npt.NDArray[np.uint8]
    references: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    seed: int


class CropTask:
    """Tells the classes of level crops apart: cross-entropy, every source with the same prevalence."""

    def __init__(self, network: nn.Module, cache: CropCache, config: CropTraining, seed: int) -> None:
        self.network = network.to(memory_format=torch.channels_last)
        self._cache, self._labels, self._config = cache, cache.column("label"), config
        self._teaching = BalancedSampler(cache, cache.where(held_out=False), config.balance)
        held_out = cache.where(held_out=True)
        self._judging: Index | None = None
        if len(np.unique(self._labels[held_out])) > 1:  # one class cannot tell two apart
            sampler = BalancedSampler(cache, held_out, config.balance, every_class=False)
            count = min(_VALIDATION_DRAWS, 8 * len(held_out))
            self._judging = sampler.draw(count, np.random.default_rng(seed))

    def batch(self, rng: np.random.Generator, size: int) -> CropBatch:
        index, cache = self._teaching.draw(size, rng), self._cache
        return CropBatch(
            cache.crops[index], cache.references[index], self._labels[index], int(rng.integers(2**62))
        )

    def loss(self, network: nn.Module, batch: CropBatch, device: torch.device) -> torch.Tensor:
        net, generator = self._config.network, torch.Generator(device).manual_seed(batch.seed)
        with torch.autocast(device.type, enabled=False):
            view = augmented_view(
                batch.crops, batch.references, net.size, net.margin, self._config.augmentation, generator
            )
        answers = network(view.contiguous(memory_format=torch.channels_last))
        return functional.cross_entropy(answers.float(), torch.from_numpy(batch.labels).to(device))

    def validation_loss(self, network: nn.Module, device: torch.device) -> float | None:
        if self._judging is None:
            return None
        logits = cache_logits(network, self._cache, self._judging, self._config.network)
        truth = torch.from_numpy(self._labels[self._judging])
        return float(functional.cross_entropy(torch.from_numpy(logits), truth))


def cache_logits(
    network: nn.Module, cache: CropCache, index: Index, config: SixChannelConfig, missing: int | None = None
) -> npt.NDArray[np.float64]:
    """Answers (n, classes) of ``network`` to the plain views of these samples.

    ``missing`` leaves T1 (0) or T2 (1) out.
    """
    device = next(network.parameters()).device
    network.eval()
    parts = []
    with torch.inference_mode():
        for at in range(0, len(index), _FORWARD_BATCH):
            chosen = index[at : at + _FORWARD_BATCH]
            view = plain_view(cache.crops[chosen], cache.references[chosen], config.size, config.margin)
            if missing is not None:
                view[:, 3 * missing : 3 * missing + 3] = 0
            parts.append(network(view.to(device)).double().cpu().numpy())
    return np.concatenate(parts)
