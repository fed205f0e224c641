"""Two classes of single slices, given to the one training loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from spine_fracture.training.systems.slice_pictures import SlicePictures, balanced_draw

_FORWARD_BATCH = 256
#: Stored crops and references (tensors of :class:`SlicePictures`) to what the network reads.
PlainView = Callable[[Tensor, Tensor], Tensor]
#: The same, changed at random.
ChangedView = Callable[[Tensor, Tensor, torch.Generator], Tensor]


@dataclass(frozen=True, eq=False)
class PictureBatch:
    """``crops`` and ``references`` as in :class:`SlicePictures`, ``labels`` (n,) 1 where positive, and the
    ``seed`` of how they are changed.
    """

    crops: Tensor
    references: Tensor
    labels: Tensor
    seed: int


class SliceTask:
    """Tells positive slices from negative ones: cross-entropy over (n, 2) logits, both equally often.

    ``changed`` makes what is learnt from, ``plain`` what is validated on.
    """

    def __init__(
        self,
        network: nn.Module,
        teaching: SlicePictures,
        judging: SlicePictures,
        changed: ChangedView,
        plain: PlainView,
    ) -> None:
        self.network = network
        #: Keys of everybody who teaches or says when to stop.
        self.patients = tuple(dict.fromkeys((*teaching.patients, *judging.patients)))
        self._teaching, self._judging = teaching, judging
        self._changed, self._plain = changed, plain

    def batch(self, rng: np.random.Generator, size: int) -> PictureBatch:
        chosen = self._teaching.only(balanced_draw(self._teaching.positive, rng, size))
        return PictureBatch(*_tensors(chosen), seed=int(rng.integers(2**62)))

    def loss(self, network: nn.Module, batch: PictureBatch, device: torch.device) -> Tensor:
        generator = torch.Generator(device).manual_seed(batch.seed)
        crops, references, labels = (t.to(device) for t in (batch.crops, batch.references, batch.labels))
        with torch.autocast(device.type, enabled=False):
            view = self._changed(crops, references, generator)
        return functional.cross_entropy(network(view).float(), labels)

    def validation_loss(self, network: nn.Module, device: torch.device) -> float | None:
        positive = self._judging.positive
        if positive.all() or not positive.any():  # one side cannot tell two apart
            return None
        losses = []
        for at in range(0, len(self._judging), _FORWARD_BATCH):
            index = np.arange(at, min(at + _FORWARD_BATCH, len(self._judging)))
            crops, references, labels = (t.to(device) for t in _tensors(self._judging.only(index)))
            answers = network(self._plain(crops, references)).float()
            losses.append(functional.cross_entropy(answers, labels, reduction="none").cpu())
        each = torch.cat(losses).numpy()
        return float(np.mean([each[side].mean() for side in (positive, ~positive)]))


def _tensors(pictures: SlicePictures) -> tuple[Tensor, Tensor, Tensor]:
    labels = pictures.positive.astype(np.int64)
    return torch.from_numpy(pictures.crops), torch.from_numpy(pictures.references), torch.from_numpy(labels)
