"""What a detector of any family learns, for the one training loop: pictures moved here, shaded there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from spine_fracture.detection.candidates import LEAST_SCORE
from spine_fracture.detection.targets import Targets
from spine_fracture.detection.tasks import channels_of
from spine_fracture.evaluation.boxes import BoxAnswer
from spine_fracture.evaluation.detection.average_precision import mean_average_precision
from spine_fracture.training.detectors.augmentation import Shown, plain, show
from spine_fracture.training.detectors.config import (
    Augmentation,
    DetectorConfig,
    FieldOfView,
    Geometry,
    Sources,
)
from spine_fracture.training.detectors.pictures import PictureCache
from spine_fracture.training.detectors.signal import SignalChange, changed, draw_change

Chances = npt.NDArray[np.float64]
#: Held-out pictures that are looked at after each epoch, at most: evenly spaced among all.
_MOST_HELD_OUT = 256
#: mAP50-95 from which a detector is said to find something: less is chance, and no ground to stop on.
_FINDS = 0.01


@dataclass(frozen=True, eq=False)
class PictureBatch:
    """``pixels`` (n, channels, side, side) uint8 with what is in them, and how their signal changes."""

    pixels: Tensor
    targets: Targets
    change: SignalChange


class BoxTask:
    """Find the boxes of a picture cache. A :class:`spine_fracture.training.learning.loop.Task`."""

    def __init__(
        self,
        network: nn.Module,
        pictures: PictureCache,
        chances: Chances,
        held_out: Sequence[int],
        config: DetectorConfig,
    ) -> None:
        """``chances`` of each picture to be shown, adding up to 1; ``held_out`` are those that judge."""
        self.network = network.to(memory_format=torch.channels_last)
        self._pictures = pictures
        self._chances = chances
        step = max(1, -(-len(held_out) // _MOST_HELD_OUT))
        self._held_out = held_out[::step]
        self._channels = channels_of(config.sequences)
        self._how = config.augmentation if len(self._channels) > 1 else _without_slip(config.augmentation)
        self._validation_batch = config.schedule.batch

    def batch(self, rng: np.random.Generator, size: int) -> PictureBatch:
        how = self._how
        calm = rng.random() < how.calm
        geometry = _calmed(how.geometry) if calm else how.geometry
        cuts = FieldOfView(at_top=0, lower=0, from_below=0) if calm else how.field_of_view
        chosen = rng.choice(len(self._pictures), size, p=self._chances)
        shown = [show(self._pictures[int(at)], geometry, cuts, rng) for at in chosen]
        change = draw_change(size, len(self._channels), how.signal, rng)
        return PictureBatch(self._pixels(shown), targets_of(shown), change)

    def loss(self, network: nn.Module, batch: PictureBatch, device: torch.device) -> Tensor:
        pictures = changed(batch.pixels.to(device, non_blocking=True), batch.change)
        return _loss(network, pictures, batch.targets.to(device))

    def validation_loss(self, network: nn.Module, device: torch.device) -> float | None:
        """What mAP50-95 lacks of 1 on the held-out pictures as they are; None until something is found.

        The loss would not do: a YOLO's weighs each box by how well it fits already, and is lowest before
        anything was learnt.
        """
        answers = [each for shown in self._judging() for each in self._answers(network, shown, device)]
        if not any(reference for _, reference in answers):
            return None
        precision = mean_average_precision(answers).map50_95
        return 1 - precision if precision >= _FINDS else None

    def _judging(self) -> Iterator[list[Shown]]:
        for start in range(0, len(self._held_out), self._validation_batch):
            chosen = self._held_out[start : start + self._validation_batch]
            yield [plain(self._pictures[at]) for at in chosen]

    def _answers(
        self, network: nn.Module, shown: Sequence[Shown], device: torch.device
    ) -> Iterator[tuple[list[BoxAnswer], list[BoxAnswer]]]:
        """What is found in each picture, once for each class it may be of, and what is there."""
        found = network.boxes(self._pixels(shown).to(device).float() / 255)  # type: ignore[operator]
        for boxes, each in zip(found, shown, strict=True):
            side = len(each.unknown)
            x, y = ((boxes.corners[:, :2] + boxes.corners[:, 2:]) / 2).astype(int).clip(0, side - 1).T
            known = ~each.unknown[y, x]
            predicted = [
                BoxAnswer(label=str(kind), box=tuple(corners), score=score)
                for corners, scores in zip(
                    boxes.corners[known].tolist(), boxes.scores[known].tolist(), strict=True
                )
                for kind, score in enumerate(scores)
                if score >= LEAST_SCORE
            ]
            reference = [
                BoxAnswer(label=str(kind), box=tuple(corners))
                for corners, kind in zip(each.boxes.tolist(), each.kinds.tolist(), strict=True)
            ]
            yield predicted, reference

    def _pixels(self, shown: Sequence[Shown]) -> Tensor:
        return torch.from_numpy(np.stack([each.pixels[list(self._channels)] for each in shown]))


def targets_of(shown: Sequence[Shown]) -> Targets:
    """What is in pictures of one size."""
    return Targets(
        corners=torch.from_numpy(np.concatenate([s.boxes for s in shown]).astype(np.float32)),
        kinds=torch.from_numpy(np.concatenate([s.kinds for s in shown])),
        picture=torch.from_numpy(np.repeat(np.arange(len(shown)), [len(s.boxes) for s in shown])),
        unknown=torch.from_numpy(np.stack([s.unknown for s in shown])),
    )


def source_chances(sources: tuple[str, ...], config: Sources) -> Chances:
    """The chance of each picture: sources share as configured, pictures of a source equally."""
    shares = {"phantom": config.phantom_share, "lesion": config.lesion_share}
    present = set(sources)
    weight = {s: shares[s] for s in present if s in shares}
    if "real" in present:
        weight["real"] = max(1.0 - sum(weight.values()), 0.0)
    count = {s: sources.count(s) for s in present}
    chances = np.array([weight[s] / count[s] for s in sources])
    return np.asarray(chances / chances.sum())


def _loss(network: nn.Module, pictures: Tensor, targets: Targets) -> Tensor:
    loss: Tensor = network.loss(pictures.contiguous(memory_format=torch.channels_last), targets)  # type: ignore[operator]
    return loss


def _without_slip(how: Augmentation) -> Augmentation:
    """Where one sequence is read there is nothing to slip against: boxes stay on their bodies."""
    return how.model_copy(update={"geometry": how.geometry.model_copy(update={"slip": 0.0})})


def _calmed(geometry: Geometry) -> Geometry:
    return geometry.model_copy(
        update={"turn": geometry.turn / 2, "shear": geometry.shear / 2, "shift": geometry.shift / 2}
    )
