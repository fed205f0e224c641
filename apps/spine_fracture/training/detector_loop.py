"""The training loop of the detector: seeded by step, so that a resumed run goes on as it was."""

from __future__ import annotations

import copy
import io
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from spine_fracture.detection.network import DetectionLoss, YoloNetwork, cells
from spine_fracture.errors import InputError
from spine_fracture.files import write_atomically
from spine_fracture.training.detector_augmentation import Shown, show
from spine_fracture.training.detector_config import DetectorConfig, FieldOfView, Geometry, Sources
from spine_fracture.training.detector_pictures import PictureCache

_CHECKPOINT = "detector-checkpoint.pt"
#: Steps between two words on progress.
_TELL_EVERY = 20


@dataclass(frozen=True)
class Progress:
    """Where a training is: ``losses`` (box, kind, distribution) are means since the last word;
    ``seconds`` count earlier parts of an interrupted run too.
    """

    step: int
    steps: int
    losses: tuple[float, float, float]
    seconds: float


@dataclass(frozen=True)
class _Batch:
    pixels: Tensor
    boxes: Tensor
    kinds: Tensor
    picture: Tensor
    unknown: Tensor


def train_detector(
    pictures: PictureCache,
    config: DetectorConfig,
    folder: Path,
    tell: Callable[[Progress], None] = lambda progress: None,
) -> tuple[YoloNetwork, float]:
    """Train from scratch, or go on from the checkpoint in ``folder``; gives the averaged network and
    the seconds it took in all.

    Every random choice is drawn from (seed, step), so that an interrupted run that goes on sees
    the pictures it would have seen.
    """
    torch.manual_seed(config.seed)
    network = YoloNetwork(config.layout).to(memory_format=torch.channels_last)
    averaged = copy.deepcopy(network).eval().requires_grad_(False)
    loss = DetectionLoss(network)
    schedule = config.schedule
    optimizer = torch.optim.AdamW(
        _parameter_groups(network, schedule.weight_decay), lr=schedule.learning_rate
    )
    checkpoint = folder / _CHECKPOINT
    first, earlier = _resume(checkpoint, network, averaged, optimizer)
    feed = _Feed(pictures, config)
    network.train()
    since, saved = time.monotonic() - earlier, time.monotonic()
    seconds = earlier
    told: list[tuple[float, float, float]] = []
    with ThreadPoolExecutor(1) as reader:
        coming = reader.submit(feed, first)
        for step in range(first, schedule.steps):
            batch = coming.result()
            coming = reader.submit(feed, step + 1)
            rate = learning_rate(config, step)
            for group in optimizer.param_groups:
                group["lr"] = rate
            with torch.autocast("cpu", dtype=torch.bfloat16):
                raw = network.raw(batch.pixels)
            losses = loss(raw, batch.boxes, batch.kinds, batch.picture, batch.unknown)
            optimizer.zero_grad(set_to_none=True)
            losses.total.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
            optimizer.step()
            _average(averaged, network, min(schedule.averaging, (1 + step) / (10 + step)))
            seconds = time.monotonic() - since
            told.append((losses.box, losses.kind, losses.distribution))
            if len(told) == _TELL_EVERY or step + 1 == schedule.steps:
                box, kind, distribution = np.mean(told, axis=0)
                tell(Progress(step + 1, schedule.steps, (box, kind, distribution), seconds))
                told.clear()
            if time.monotonic() - saved > 60 * schedule.checkpoint_minutes or step + 1 == schedule.steps:
                _save(checkpoint, step + 1, seconds, network, averaged, optimizer)
                saved = time.monotonic()
    return averaged, seconds


def learning_rate(config: DetectorConfig, step: int) -> float:
    """Linear from 0 over the warm-up, then a half cosine down to ``final`` of the full rate."""
    schedule = config.schedule
    if step < schedule.warm_up:
        return schedule.learning_rate * (step + 1) / schedule.warm_up
    gone = (step - schedule.warm_up) / max(schedule.steps - schedule.warm_up, 1)
    share = schedule.final + (1 - schedule.final) * (1 + math.cos(math.pi * gone)) / 2
    return schedule.learning_rate * share


def _parameter_groups(network: torch.nn.Module, decay: float) -> list[dict[str, object]]:
    """Weights decay; biases and normalisation do not."""
    parameters = list(network.parameters())
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


@torch.no_grad()
def _average(averaged: torch.nn.Module, network: torch.nn.Module, decay: float) -> None:
    current = network.state_dict()
    for name, mean in averaged.state_dict().items():
        if mean.is_floating_point():
            mean.lerp_(current[name], 1 - decay)
        else:
            mean.copy_(current[name])


def _save(
    path: Path,
    step: int,
    seconds: float,
    network: torch.nn.Module,
    averaged: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
) -> None:
    buffer = io.BytesIO()
    state = {
        "step": step,
        "seconds": seconds,
        "network": network.state_dict(),
        "averaged": averaged.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    torch.save(state, buffer)
    write_atomically(path, buffer.getvalue())


def _resume(
    path: Path, network: torch.nn.Module, averaged: torch.nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[int, float]:
    """Steps and seconds already behind."""
    if not path.is_file():
        return 0, 0.0
    state = torch.load(path, weights_only=True)
    try:
        network.load_state_dict(state["network"])
        averaged.load_state_dict(state["averaged"])
        optimizer.load_state_dict(state["optimizer"])
    except (KeyError, RuntimeError, ValueError) as error:
        raise InputError(f"{path} is of another training: remove it or choose another folder.") from error
    return int(state["step"]), float(state["seconds"])


class _Feed:
    """Batches by step number; what is shown in step k depends on the seed and k alone."""

    def __init__(self, pictures: PictureCache, config: DetectorConfig) -> None:
        self._pictures = pictures
        self._config = config
        self._cells = cells(config.size, config.size).centres.astype(np.float64)
        self._chances = source_chances(pictures.sources, config.sources)

    def __call__(self, step: int) -> _Batch:
        config, schedule = self._config, self._config.schedule
        rng = np.random.default_rng((config.seed, step))
        calm = step >= schedule.steps * (1 - schedule.calm)
        geometry = _calmed(config.geometry) if calm else config.geometry
        cuts = FieldOfView(at_top=0, lower=0, from_below=0) if calm else config.field_of_view
        chosen = rng.choice(len(self._pictures), schedule.batch, p=self._chances)
        return _stacked(
            [show(self._pictures[int(at)], self._cells, geometry, config.signal, cuts, rng) for at in chosen]
        )


def _calmed(geometry: Geometry) -> Geometry:
    return geometry.model_copy(
        update={"turn": geometry.turn / 2, "shear": geometry.shear / 2, "shift": geometry.shift / 2}
    )


def source_chances(sources: tuple[str, ...], config: Sources) -> npt.NDArray[np.float64]:
    """The chance of each picture: sources share as configured, pictures of a source equally."""
    shares = {"phantom": config.phantom_share, "lesion": config.lesion_share}
    present = set(sources)
    weight = {s: shares[s] for s in present if s in shares}
    if "real" in present:
        weight["real"] = max(1.0 - sum(weight.values()), 0.0)
    count = {s: sources.count(s) for s in present}
    chances = np.array([weight[s] / count[s] for s in sources])
    return np.asarray(chances / chances.sum())


def _stacked(shown: list[Shown]) -> _Batch:
    side = shown[0].pixels.shape[-1]
    corners = np.concatenate([s.boxes for s in shown]) / side
    centred = np.concatenate([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], axis=1)
    pixels = torch.from_numpy(np.stack([s.pixels for s in shown]))
    return _Batch(
        pixels=pixels.contiguous(memory_format=torch.channels_last),
        boxes=torch.from_numpy(centred.astype(np.float32)),
        kinds=torch.from_numpy(np.concatenate([s.kinds for s in shown])),
        picture=torch.from_numpy(np.repeat(np.arange(len(shown)), [len(s.boxes) for s in shown])),
        unknown=torch.from_numpy(np.stack([s.unknown for s in shown])),
    )
