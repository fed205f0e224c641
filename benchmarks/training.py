"""How fast each system learns through our loop, against a bare torch loop with nothing to wait for.

The bare loop has the same network, loss, precision and batches, all made before the clock starts: forward,
backward, step, and nothing else. Ours makes its batches as it goes, keeps the running mean and watches the
loss; neither judges held-out pictures. They take turns in one process, and on a CPU making batches takes
time from the cores that learn. With --ultralytics a YOLO also learns in ultralytics' own trainer, from the
same pictures as PNG files.

    python benchmarks/training.py --cohort cohort yeh2022 yolo11 --json training.json

Without --cohort a tiny one is simulated; speed does not depend on how many patients there are.
"""

from __future__ import annotations

import argparse
import copy
import math
import os
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bare_ultralytics import ultralytics_pictures_a_second
from machine import show
from rich.progress import Progress

from spine_fracture.configuration import load_config
from spine_fracture.errors import SpineFractureError
from spine_fracture.simulation.radiograph_recipe import RadiographRecipe
from spine_fracture.training.cohorts.config import CohortConfig
from spine_fracture.training.cohorts.making import STUDIES, make_cohort
from spine_fracture.training.cohorts.radiograph_cohort import RADIOGRAPHS, make_radiographs
from spine_fracture.training.learning.learner import half_is_fast
from spine_fracture.training.learning.loop import Epoch, Task, fit
from spine_fracture.training.learning.schedule import Schedule
from spine_fracture.training.systems.families import System, available, load_system

SEED = 1
WARM_UP_STEPS = 2
GPU = torch.cuda.is_available()


class Unjudged:
    """A task without its held-out pictures, its network a copy."""

    def __init__(self, task: Task[Any]) -> None:
        self.network = copy.deepcopy(task.network)
        self.batch, self.loss = task.batch, task.loss

    def validation_loss(self, network: torch.nn.Module, device: torch.device) -> float | None:
        return None


@dataclass(frozen=True)
class Speed:
    """Pictures a second of both loops; ``ratio`` ours over bare, with the least and greatest of the rounds.
    ``waited`` is the share of our time that went by waiting for data; ``device_mib`` our GPU's peak.
    """

    system: str
    batch: int
    ours: float
    bare: float
    ratio: float
    ratios: tuple[float, ...]
    waited: float
    device_mib: float
    ultralytics: float | None = None

    def row(self) -> tuple[str, ...]:
        library = (
            "" if self.ultralytics is None else f"{self.ultralytics:.1f} ({self.ours / self.ultralytics:.2f})"
        )
        return (
            self.system, str(self.batch), f"{self.ours:.1f}", f"{self.bare:.1f}", f"{self.ratio:.2f}",
            f"{min(self.ratios):.2f} to {max(self.ratios):.2f}", f"{100 * self.waited:.1f} %",
            f"{self.device_mib:.0f}" if GPU else "", library,
        )  # fmt: skip


def ours(task: Task[Any], schedule: Schedule) -> tuple[Epoch, float]:
    """The second of two epochs, for which everything is warm, and the GPU's peak in MiB."""
    twice = schedule.model_copy(update={"epochs": 2, "patience": 2, "checkpoint_minutes": math.inf})
    fitted = fit(Unjudged(task), twice, SEED)
    return fitted.history[1], fitted.cost.device_mib


def bare(task: Task[Any], schedule: Schedule) -> float:
    """Seconds of ``steps`` steps."""
    device = torch.device("cuda" if GPU else "cpu")
    network = copy.deepcopy(task.network).to(device).train()
    kind = torch.optim.Adam if schedule.optimiser == "adam" else torch.optim.AdamW
    optimiser = kind(network.parameters(), schedule.learning_rate, weight_decay=schedule.weight_decay)
    rngs = (np.random.default_rng((SEED, 1, step)) for step in range(schedule.steps))
    batches = [task.batch(rng, schedule.batch) for rng in rngs]

    def learn(batch: Any) -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=half_is_fast(device)):
            loss = task.loss(network, batch, device)
        optimiser.zero_grad()
        loss.backward()
        if schedule.clip:
            torch.nn.utils.clip_grad_norm_(network.parameters(), schedule.clip)
        optimiser.step()

    for batch in batches[:WARM_UP_STEPS]:
        learn(batch)
    _finished()
    started = time.perf_counter()
    for batch in batches:
        learn(batch)
    _finished()
    return time.perf_counter() - started


def _finished() -> None:
    if GPU:
        torch.cuda.synchronize()


def measure(system: System, cohort: Path, steps: int, rounds: int, library: bool) -> Speed:
    """Both loops in turns. The task is the family's own."""
    make = system.family.task
    assert make is not None
    task = make(system.config, cohort, SEED)
    schedule = system.config.schedule.model_copy(update={"steps": steps})
    epochs, seconds, peak = [], [], 0.0
    for _ in range(rounds):
        epoch, mib = ours(task, schedule)
        epochs.append(epoch)
        peak = max(peak, mib)
        seconds.append(bare(task, schedule))
    pictures = steps * schedule.batch * rounds
    spent = sum(epoch.seconds for epoch in epochs)
    return Speed(
        system=system.name,
        batch=schedule.batch,
        ours=pictures / spent,
        bare=pictures / sum(seconds),
        ratio=sum(seconds) / spent,
        ratios=tuple(b / e.seconds for b, e in zip(seconds, epochs, strict=True)),
        waited=sum(epoch.waited for epoch in epochs) / spent,
        device_mib=peak,
        ultralytics=ultralytics_pictures_a_second(system.config, cohort, steps) if library else None,
    )


def make_data(folder: Path) -> None:
    """A tiny cohort with studies and radiographs, in ``folder``."""
    recipe = load_config("cohorts/radiographs", RadiographRecipe)
    few = recipe.phantoms.model_copy(update={"patients": 24})
    with Progress() as bars:
        studies, films = (bars.add_task(name) for name in (STUDIES, RADIOGRAPHS))
        make_cohort(
            load_config("cohorts/tiny", CohortConfig), None, folder, 1,
            lambda done, of: bars.update(studies, completed=done, total=of),
        )  # fmt: skip
        make_radiographs(
            recipe.model_copy(update={"phantoms": few}), folder,
            lambda done, of: bars.update(films, completed=done, total=of),
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("systems", nargs="*", help="names in configs/; default: all that have a network")
    parser.add_argument("--cohort", type=Path, help="a folder that `cohort simulate` made")
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ultralytics", action="store_true", help="YOLOs in ultralytics' trainer too")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    systems = [load_system(name) for name in chosen.systems] or list(available())
    with tempfile.TemporaryDirectory() as temporary:
        cohort = chosen.cohort or Path(temporary)
        if chosen.cohort is None:
            make_data(cohort)
        speeds, left_out = [], []
        with Progress() as bars:
            bar = bars.add_task("Training")
            for system in bars.track([s for s in systems if s.family.task is not None], task_id=bar):
                bars.update(bar, description=system.name)
                library = chosen.ultralytics and system.family.name == "yolo"
                try:
                    speeds.append(measure(system, cohort, chosen.steps, chosen.rounds, library))
                except SpineFractureError as error:
                    left_out.append(f"{system.name} was left out: {error}")
    device = torch.cuda.get_device_name() if GPU else f"CPU, {os.cpu_count()} cores"
    columns = (
        "system",
        "batch",
        "ours /s",
        "bare /s",
        "ratio",
        "of rounds",
        "waiting",
        "GPU MiB",
        "ultralytics /s",
    )
    show(
        f"Training: pictures a second on {device}, {chosen.rounds} x {chosen.steps} steps",
        columns,
        [speed.row() for speed in speeds],
        {
            "device": device,
            "steps": chosen.steps,
            "rounds": chosen.rounds,
            "systems": [asdict(s) for s in speeds],
        },
        chosen.json,
    )
    print(*left_out, sep="\n")


if __name__ == "__main__":
    main()
