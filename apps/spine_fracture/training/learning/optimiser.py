"""From a schedule to an optimiser, and to the learning rate of each step."""

from __future__ import annotations

import math

import torch
from torch import nn

from spine_fracture.training.learning.schedule import Schedule


def make_optimiser(network: nn.Module, schedule: Schedule) -> torch.optim.Optimizer:
    """Adam or AdamW over the parameters that learn; AdamW's decay spares biases and normalisation."""
    learning = [p for p in network.parameters() if p.requires_grad]
    betas = (schedule.beta1, 0.999)
    if schedule.optimiser == "adam":
        return torch.optim.Adam(
            learning, schedule.learning_rate, betas, weight_decay=schedule.weight_decay, fused=True
        )
    groups = [
        {"params": [p for p in learning if p.ndim > 1], "weight_decay": schedule.weight_decay},
        {"params": [p for p in learning if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, schedule.learning_rate, betas, fused=True)


def learning_rate(schedule: Schedule, step: int) -> float:
    """The rate of step ``step`` (from 0) of the whole training: a linear rise, then a half cosine
    (Loshchilov and Hutter 2017, SGDR) down to ``final`` of the full rate.
    """
    steps = schedule.epochs * schedule.steps
    rising = schedule.warm_up * steps
    if step < rising:
        return schedule.learning_rate * min(1.0, (step + 1) / rising)
    gone = (step - rising) / max(steps - rising, 1)
    share = schedule.final + (1 - schedule.final) * (1 + math.cos(math.pi * gone)) / 2
    return schedule.learning_rate * share
