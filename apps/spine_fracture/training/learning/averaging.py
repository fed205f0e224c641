"""The running mean of a network's weights: what is judged and kept, rather than the last step's weights.

Averaging the iterates: Polyak and Juditsky 1992, SIAM J. Control Optim. 30:838.
"""

from __future__ import annotations

import copy

import torch
from torch import nn


class RunningMean:
    """Exponential mean of the parameters and buffers of ``network``, on the same device.

    ``network`` here is the averaged copy, always in eval mode. The mean is short while few steps were
    taken, so that a brief training counts too. Counters, being whole numbers, are copied.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.steps = 0
        self._decay = decay
        tensors = [*network.parameters(), *network.buffers()]
        pairs = list(zip([*self.network.parameters(), *self.network.buffers()], tensors, strict=True))
        # By element type: one call for many tensors wants them alike.
        self._averaged = [
            [(old, new.detach()) for old, new in pairs if old.dtype == dtype]
            for dtype in sorted({old.dtype for old, _ in pairs if old.is_floating_point()}, key=str)
        ]
        self._copied = [(old, new.detach()) for old, new in pairs if not old.is_floating_point()]

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights as they are now."""
        weight = 1 - min(self._decay, (1 + self.steps) / (10 + self.steps))
        for group in self._averaged:
            torch._foreach_lerp_([old for old, _ in group], [new for _, new in group], weight)
        for old, new in self._copied:
            old.copy_(new)
        self.steps += 1

    def is_finite(self) -> bool:
        """Whether no weight is NaN or infinite."""
        return all(bool(torch.isfinite(old).all()) for group in self._averaged for old, _ in group)

    def state(self) -> dict[str, torch.Tensor]:
        """A copy in the computer's memory."""
        return {key: value.detach().cpu().clone() for key, value in self.network.state_dict().items()}
