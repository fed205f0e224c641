"""How long and how fast a model learns: the same few numbers for every family."""

from __future__ import annotations

from typing import Literal

from spine_fracture.configuration import Amount, Chance, Config, Count, Positive, Share


class Schedule(Config):
    """``epochs`` of ``steps`` batches of ``batch``; after each epoch the held-out cases are looked at, and
    ``patience`` epochs without a lower loss on them end the training.

    The learning rate rises linearly over the ``warm_up`` share of all steps and falls in a half cosine
    to ``final`` of itself. ``beta1`` is Adam's; ``adamw`` keeps ``weight_decay`` apart from the gradient
    and ``adam`` adds it as an L2 penalty. ``clip`` bounds the gradient's norm, 0 leaves it alone.
    ``averaging`` is the decay of the running mean of the weights that is kept.
    """

    epochs: Count = 40
    steps: Count = 100
    batch: Count = 32
    optimiser: Literal["adamw", "adam"] = "adamw"
    learning_rate: Positive = 1e-3
    beta1: Chance = 0.9
    weight_decay: Amount = 5e-4
    warm_up: Share = 0.05
    final: Share = 0.0
    clip: Amount = 0.0
    averaging: Chance = 0.998
    patience: Count = 10
    checkpoint_minutes: Amount = 2.0
