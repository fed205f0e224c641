"""The training loop of the six-channel network: seeded, resumable, on CPU or GPU."""

from __future__ import annotations

import copy
import io
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from spine_fracture.classification.sixchannel import SixChannelConfig
from spine_fracture.files import write_atomically
from spine_fracture.training.classifier_augmentation import augmented_view, plain_view
from spine_fracture.training.classifier_cache import CropCache
from spine_fracture.training.classifier_config import ClassifierTraining
from spine_fracture.training.classifier_sampler import BalancedSampler, Index

_WARM_UP = 0.05  # the share of all steps over which the learning rate rises
_CHECKPOINT_SECONDS = 120.0
_VALIDATION_DRAWS = 1200  # at most; few held-out samples are drawn a few times each
_FORWARD_BATCH = 256


@dataclass(frozen=True)
class Epoch:
    """What one epoch gave; ``validation_loss`` is None without held-out samples."""

    number: int
    of: int
    loss: float
    validation_loss: float | None
    seconds: float


Progress = Callable[[Epoch], None]


@dataclass(frozen=True, eq=False)
class Fitted:
    """The weights that were kept, the epoch they come from, and every epoch's losses."""

    state: dict[str, torch.Tensor]
    epoch: int
    history: tuple[Epoch, ...]


def fit(
    network: nn.Module,
    cache: CropCache,
    config: ClassifierTraining,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> Fitted:
    """Train ``network`` in place and return its best running mean.

    With ``checkpoint`` the run is written there every few minutes and taken up again from it.
    """
    run = _Run(network, cache, config)
    if checkpoint is not None and checkpoint.is_file():
        run.restore(checkpoint)
    saved = time.monotonic()
    while not run.done:
        epoch = run.epoch()
        if progress is not None:
            progress(epoch)
        if checkpoint is not None and (run.done or time.monotonic() - saved > _CHECKPOINT_SECONDS):
            run.save(checkpoint)
            saved = time.monotonic()
    return Fitted(run.best_state, run.best_epoch, tuple(run.history))


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


class _Run:
    """The state of one training: what a checkpoint holds."""

    def __init__(self, network: nn.Module, cache: CropCache, config: ClassifierTraining) -> None:
        self._cache, self._config = cache, config
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._network = network.to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        schedule = config.schedule
        average = partial(_running_mean, decay=schedule.averaging)
        self._mean = AveragedModel(self._network, multi_avg_fn=average, use_buffers=True)
        self._optimiser = torch.optim.AdamW(
            self._network.parameters(),
            lr=schedule.learning_rate,
            betas=(schedule.beta1, 0.999),
            weight_decay=schedule.weight_decay,
        )
        self._teaching = BalancedSampler(cache, cache.where(held_out=False), schedule)
        held_out = cache.where(held_out=True)
        self._judging: Index | None = None
        if len(held_out):
            sampler = BalancedSampler(cache, held_out, schedule, every_class=False)
            count = min(_VALIDATION_DRAWS, 8 * len(held_out))
            self._judging = sampler.draw(count, np.random.default_rng(schedule.seed))
        self.history: list[Epoch] = []
        self.best_state = copy.deepcopy(self._network.state_dict())
        self.best_epoch = 0
        self._best_loss = math.inf

    @property
    def done(self) -> bool:
        schedule = self._config.schedule
        passed = len(self.history)
        return passed >= schedule.epochs or passed - self.best_epoch >= schedule.patience

    def epoch(self) -> Epoch:
        schedule, number = self._config.schedule, len(self.history)
        # Drawn from the epoch's own seed, so that a resumed run sees what an unbroken one would.
        random = np.random.default_rng((schedule.seed, number))
        generator = torch.Generator().manual_seed(schedule.seed * 10_007 + number)
        torch.manual_seed(schedule.seed * 10_007 + number)
        start, total = time.monotonic(), 0.0
        self._network.train()
        for step in range(schedule.steps):
            for group in self._optimiser.param_groups:
                group["lr"] = self._learning_rate(number * schedule.steps + step)
            total += self._step(self._teaching.draw(schedule.batch, random), generator)
        judged = self._validation_loss()
        if judged is None or judged < self._best_loss:
            self._best_loss = math.inf if judged is None else judged
            self.best_epoch = number + 1
            self.best_state = copy.deepcopy(self._mean.module.state_dict())
        result = Epoch(number + 1, schedule.epochs, total / schedule.steps, judged, time.monotonic() - start)
        self.history.append(result)
        return result

    def _step(self, index: Index, generator: torch.Generator) -> float:
        net, cache = self._config.network, self._cache
        crops, references = cache.crops[index], cache.references[index]
        view = augmented_view(crops, references, net.size, net.margin, self._config.augmentation, generator)
        truth = torch.from_numpy(cache.column("label")[index]).to(self._device)
        inputs = view.to(self._device).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=_half_is_fast(self._device)):
            answers = self._network(inputs)
        loss = functional.cross_entropy(
            answers.float(), truth, label_smoothing=self._config.schedule.label_smoothing
        )
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self._mean.update_parameters(self._network)
        return float(loss.detach())

    def _validation_loss(self) -> float | None:
        if self._judging is None:
            return None
        logits = cache_logits(self._mean.module, self._cache, self._judging, self._config.network)
        truth = torch.from_numpy(self._cache.column("label")[self._judging])
        return float(functional.cross_entropy(torch.from_numpy(logits), truth))

    def _learning_rate(self, step: int) -> float:
        schedule = self._config.schedule
        steps = schedule.epochs * schedule.steps
        rise = min(1.0, (step + 1) / max(1.0, _WARM_UP * steps))
        return schedule.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * step / steps))

    def save(self, path: Path) -> None:
        state = {
            "network": self._network.state_dict(),
            "mean": self._mean.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "best": self.best_state,
            "best_epoch": self.best_epoch,
            "best_loss": self._best_loss,
            "history": [(e.number, e.of, e.loss, e.validation_loss, e.seconds) for e in self.history],
        }
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_atomically(path, buffer.getvalue())

    def restore(self, path: Path) -> None:
        state = torch.load(path, map_location=self._device, weights_only=True)
        self._network.load_state_dict(state["network"])
        self._mean.load_state_dict(state["mean"])
        self._optimiser.load_state_dict(state["optimiser"])
        self.best_state, self.best_epoch = state["best"], state["best_epoch"]
        self._best_loss = state["best_loss"]
        self.history = [Epoch(*row) for row in state["history"]]


def _running_mean(
    mean: Sequence[torch.Tensor], current: Sequence[torch.Tensor], count: torch.Tensor | int, *, decay: float
) -> None:
    """Exponential mean in place, short while few steps were taken, so that a brief run counts too."""
    weight = 1 - min(decay, (1 + int(count)) / (10 + int(count)))
    for old, new in zip(mean, current, strict=True):
        if old.is_floating_point():
            old.lerp_(new, weight)
        else:
            old.copy_(new)


def _half_is_fast(device: torch.device) -> bool:
    """bfloat16 pays on a GPU, and on a CPU that has instructions for it."""
    if device.type == "cuda":
        return True
    abilities = torch.cpu.get_capabilities()
    return bool(abilities.get("avx512_bf16") or abilities.get("amx_bf16"))
