"""One step of learning: forward, backward, the optimiser, the running mean."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from spine_fracture.training.learning.averaging import RunningMean
from spine_fracture.training.learning.optimiser import learning_rate, make_optimiser
from spine_fracture.training.learning.schedule import Schedule

B = TypeVar("B")


class Learner(Generic[B]):
    """A network on its device, its optimiser and its running mean. Random numbers of step k come from
    (seed, epoch, step) alone.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Callable[[nn.Module, B, torch.device], Tensor],
        schedule: Schedule,
        seed: int,
    ) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network = network.to(self.device)
        self.mean = RunningMean(self.network, schedule.averaging)
        self.optimiser = make_optimiser(self.network, schedule)
        self._loss, self._schedule, self._seed = loss, schedule, seed
        self._half = half_is_fast(self.device)
        if self.device.type == "cpu":
            _suit_cpu(self.network)
            _refuse_tiny_maps(self.network)

    def step(self, batch: B, step: int) -> float | None:
        """The loss of this batch, learnt from unless it is not finite; None when the GPU's memory ran out."""
        try:
            return self._learn(batch, step, half=self._half)
        except torch.OutOfMemoryError:
            pass  # cleared below, where the error no longer holds on to what was on the GPU
        self.optimiser.zero_grad(set_to_none=True)
        torch.cuda.empty_cache()
        return None

    def _learn(self, batch: B, step: int, *, half: bool) -> float:
        self.seed_step(step)
        self.network.train()
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self._schedule, step)
        try:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=half):
                loss = self._loss(self.network, batch, self.device)
        except _TinyMapError:
            return self._learn(batch, step, half=False)
        value = _Reading(loss)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        number = value.number()
        if math.isfinite(number):
            if self._schedule.clip:
                nn.utils.clip_grad_norm_(self.network.parameters(), self._schedule.clip)
            self.optimiser.step()
            self.mean.update()
        return number

    def seed_step(self, step: int) -> None:
        """Draw from this step's own seed from now on."""
        seeds = np.random.SeedSequence((self._seed, *divmod(step, self._schedule.steps)), spawn_key=(1,))
        torch.manual_seed(int(seeds.generate_state(1, np.uint64)[0]))

    def device_name(self) -> str:
        """The GPU's name, or how many of the processor's threads are used."""
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        return f"CPU, {torch.get_num_threads()} threads"


class _Reading:
    """A loss on its way from the GPU: waiting for it does not hold up what is queued there after it."""

    def __init__(self, loss: Tensor) -> None:
        self._value = loss.detach().to("cpu", non_blocking=True)
        self._arrived = torch.cuda.Event() if loss.is_cuda else None  # type: ignore[no-untyped-call]
        if self._arrived is not None:
            self._arrived.record()

    def number(self) -> float:
        if self._arrived is not None:
            self._arrived.synchronize()
        return float(self._value)


class _WholeConvolution(nn.Conv2d):
    """Computes in single precision, under autocast too."""

    def forward(self, input: Tensor) -> Tensor:
        if not torch.is_autocast_enabled("cpu"):
            return super().forward(input)
        with torch.autocast("cpu", enabled=False):
            return super().forward(input.float())


class _StridedPoint(nn.Conv2d):
    """A strided 1 x 1 convolution, as one without a stride of every other pixel."""

    def forward(self, input: Tensor) -> Tensor:
        down, across = self.stride
        return nn.functional.conv2d(input[..., ::down, ::across], self.weight, self.bias, groups=self.groups)


def _suit_cpu(network: nn.Module) -> None:
    """Let a CPU compute in another way what it does badly.

    The gradients of a depthwise convolution take several times as long in bfloat16. For those of a strided
    1 x 1 convolution several threads of oneDNN 3.13 (torch 2.15) write into foreign memory, where a block of
    16 channels is not full.
    """
    for module in network.modules():
        if type(module) is not nn.Conv2d:
            continue
        if module.groups == module.in_channels > 1:
            module.__class__ = _WholeConvolution
        elif module.kernel_size == (1, 1) and module.stride != (1, 1) and module.padding == (0, 0):
            module.__class__ = _StridedPoint


class _TinyMapError(Exception):
    """A convolution in bfloat16 was given a map no wider than its padding."""


def _refuse_tiny_maps(network: nn.Module) -> None:
    """Let such a convolution raise :class:`_TinyMapError`: on a CPU torch 2.15 gives it random gradients, and
    writes where it must not.
    """

    def look(convolution: nn.Module, given: tuple[Tensor, ...]) -> None:
        assert isinstance(convolution, nn.Conv2d)
        if torch.is_autocast_enabled("cpu") and not isinstance(convolution.padding, str):
            sides = zip(given[0].shape[-2:], convolution.padding, strict=True)
            if any(side <= padding for side, padding in sides):
                raise _TinyMapError

    for module in network.modules():
        narrow = isinstance(module, nn.Conv2d) and not isinstance(module, _WholeConvolution)
        if narrow and module.padding != (0, 0):
            module.register_forward_pre_hook(look)


def half_is_fast(device: torch.device) -> bool:
    """bfloat16 pays on a GPU, and on a CPU that has instructions for it."""
    if device.type == "cuda":
        return True
    abilities = torch.cpu.get_capabilities()
    return bool(abilities.get("avx512_bf16") or abilities.get("amx_bf16"))
