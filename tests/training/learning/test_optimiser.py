"""Schedules made into optimisers, learning rates and running means."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from spine_fracture.training.learning.averaging import RunningMean
from spine_fracture.training.learning.optimiser import learning_rate, make_optimiser
from spine_fracture.training.learning.schedule import Schedule


def test_the_rate_rises_and_falls_to_its_share() -> None:
    schedule = Schedule(epochs=10, steps=10, learning_rate=0.5, warm_up=0.1, final=0.2)
    rates = [learning_rate(schedule, step) for step in range(100)]
    assert rates[:10] == pytest.approx([0.05 * (step + 1) for step in range(10)])
    assert rates[10] == 0.5
    assert rates[55] == pytest.approx(0.3)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[99] == pytest.approx(0.1, abs=1e-3)
    level = Schedule(epochs=10, steps=10, learning_rate=0.5, warm_up=0, final=1)
    assert {learning_rate(level, step) for step in range(100)} == {0.5}


def test_adamw_spares_biases_and_normalisation() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(2, 2))
    network[2].weight.requires_grad_(False)
    groups = make_optimiser(network, Schedule(weight_decay=0.1)).param_groups
    decayed = [group["weight_decay"] for group in groups for _ in group["params"]]
    assert decayed == [0.1, 0.0, 0.0, 0.0, 0.0]
    (group,) = make_optimiser(network, Schedule(optimiser="adam", weight_decay=0.1, beta1=0.5)).param_groups
    assert (len(group["params"]), group["weight_decay"], group["betas"]) == (5, 0.1, (0.5, 0.999))


def test_the_running_mean_follows_the_weights() -> None:
    network = nn.BatchNorm1d(1)
    mean = RunningMean(network, decay=0.5)
    for value in (1.0, 2.0, 3.0):
        with torch.no_grad():
            network.weight.fill_(value)
            network.running_mean.fill_(value)
            network.num_batches_tracked.fill_(int(value))
        mean.update()
    # Decays of the first steps: 1/10, 2/11, 3/12, all below 0.5.
    expected = 1.0
    for value, decay in ((1.0, 1 / 10), (2.0, 2 / 11), (3.0, 3 / 12)):
        expected += (1 - decay) * (value - expected)
    state = mean.state()
    assert state["weight"].item() == pytest.approx(expected)
    assert state["num_batches_tracked"].item() == 3
    assert state["running_mean"].item() > 2
    assert mean.is_finite()
    with torch.no_grad():
        network.weight.fill_(float("nan"))
    mean.update()
    assert not mean.is_finite()
