"""How one radiograph network learns: whom from, what batches are made of, how pictures are changed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from spine_fracture.anatomy import Diagnosis
from spine_fracture.classification.radiograph import CLASSES
from spine_fracture.classification.radiograph_pictures import InputForm, PictureConfig, joined, prepared
from spine_fracture.configuration import Amount, Config
from spine_fracture.errors import InsufficientEvidenceError
from spine_fracture.evaluation.answers import Part
from spine_fracture.radiography import Picture, Radiograph
from spine_fracture.training.cohorts.radiograph_cache import VIEWS, RadiographCache

_FORWARD_BATCH = 64


class RadiographChanges(Config):
    """How far a picture is changed at most, drawn evenly: ``shift`` in shares of its sides, ``scale`` a share
    of its size, ``turn`` degrees, ``contrast`` the logarithm of a factor, ``brightness`` a share of the grey
    scale. Never mirrored: left and right, front and back differ.
    """

    shift: Amount = 0.06
    scale: Amount = 0.12
    turn: Amount = 7.0
    contrast: Amount = 0.25
    brightness: Amount = 0.12


@dataclass(frozen=True, eq=False)
class LabelledRadiographs:
    """``pixels`` uint8 (patients, views, rows, columns), prepared, views as in VIEWS; ``malignant`` and
    ``patients`` keys, one a patient.
    """

    pixels: Picture
    malignant: npt.NDArray[np.int64]
    patients: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.patients)

    def down_sampled(self, rng: np.random.Generator) -> LabelledRadiographs:
        """As many of both classes: all of the rarer one, and of the other as many drawn at random."""
        classes = [np.flatnonzero(self.malignant == value) for value in (0, 1)]
        count = min(map(len, classes))
        kept = np.sort(np.concatenate([rng.choice(at, count, replace=False) for at in classes]))
        return LabelledRadiographs(
            self.pixels[kept], self.malignant[kept], tuple(self.patients[at] for at in kept)
        )


def labelled(cache: RadiographCache, part: Part | None, config: PictureConfig) -> LabelledRadiographs:
    """The patients of ``part`` (None: who teach) of either class."""
    chosen = [
        at for at, label in enumerate(cache.labels) if label.part is part and label.diagnosis in CLASSES
    ]
    pixels = np.zeros((len(chosen), len(VIEWS), config.rows, config.columns), np.uint8)
    for target, at in zip(pixels, chosen, strict=True):
        for number, view in enumerate(VIEWS):
            target[number] = prepared(Radiograph(view, cache.pixels[at, number]), config)
    malignant = [cache.labels[at].diagnosis is Diagnosis.MALIGNANT for at in chosen]
    return LabelledRadiographs(
        pixels, np.array(malignant, dtype=np.int64), tuple(cache.labels[at].patient for at in chosen)
    )


@dataclass(frozen=True, eq=False)
class RadiographBatch:
    """``pixels`` uint8 (n, views of one reading, rows, columns); ``malignant`` (n,); ``changes`` (n, views,
    6): size, across, along (halves of the picture), turn (radians), contrast, brightness.
    """

    pixels: Picture
    malignant: npt.NDArray[np.int64]
    changes: npt.NDArray[np.float32]


class RadiographTask:
    """Is the fracture on these radiographs malignant? Cross-entropy over readings."""

    def __init__(
        self,
        network: nn.Module,
        form: InputForm,
        teaching: LabelledRadiographs,
        judging: LabelledRadiographs,
        changes: RadiographChanges,
    ) -> None:
        if len(set(teaching.malignant.tolist())) < len(CLASSES):
            raise InsufficientEvidenceError(
                "The training patients have not both benign and malignant fractures: add patients of the "
                "class that is missing."
            )
        self.network = network.to(memory_format=torch.channels_last)
        self._form = form
        self._teaching, self._judging = teaching, judging
        self._readings = np.array([[VIEWS.index(view) for view in views] for views in form.readings])
        self._reach = np.array(
            [changes.scale, 2 * changes.shift, 2 * changes.shift, math.radians(changes.turn),
             changes.contrast, changes.brightness], np.float32)  # fmt: skip

    def batch(self, rng: np.random.Generator, size: int) -> RadiographBatch:
        patients = rng.integers(len(self._teaching), size=size)
        views = self._readings[rng.integers(len(self._readings), size=size)]
        drawn = rng.uniform(-1, 1, (size, views.shape[1], len(self._reach))).astype(np.float32)
        teaching = self._teaching
        return RadiographBatch(
            teaching.pixels[patients[:, None], views], teaching.malignant[patients], drawn * self._reach
        )

    def loss(self, network: nn.Module, batch: RadiographBatch, device: torch.device) -> Tensor:
        with torch.autocast(device.type, enabled=False):
            grey = torch.from_numpy(batch.pixels).to(device).float() / 255
            grey = _changed(grey, torch.from_numpy(batch.changes).to(device))
            pictures = joined(self._form, grey).contiguous(memory_format=torch.channels_last)
        truth = torch.from_numpy(batch.malignant).to(device)
        return functional.cross_entropy(network(pictures).float(), truth)

    def validation_loss(self, network: nn.Module, device: torch.device) -> float | None:
        if len(set(self._judging.malignant.tolist())) < len(CLASSES):
            return None
        losses = []
        truth = torch.from_numpy(self._judging.malignant).to(device)
        for views in self._readings:
            for at in range(0, len(self._judging), _FORWARD_BATCH):
                part = self._judging.pixels[at : at + _FORWARD_BATCH][:, views]
                grey = torch.from_numpy(part).to(device).float() / 255
                pictures = joined(self._form, grey).contiguous(memory_format=torch.channels_last)
                wanted = truth[at : at + _FORWARD_BATCH]
                losses.append(functional.cross_entropy(network(pictures), wanted, reduction="none"))
        return float(torch.cat(losses).mean())


def _changed(grey: Tensor, changes: Tensor) -> Tensor:
    """(n, views, rows, columns) in [0, 1], each picture by its own changes (n, views, 6)."""
    count, views, rows, columns = grey.shape
    scale, across, along, turn, contrast, brightness = changes.reshape(-1, 6).unbind(dim=1)
    cosine, sine = torch.cos(turn) * (1 + scale), torch.sin(turn) * (1 + scale)
    ratio = rows / columns
    theta = torch.stack(
        [
            torch.stack([cosine, -sine * ratio, across], dim=1),
            torch.stack([sine / ratio, cosine, along], dim=1),
        ],
        dim=1,
    )
    flat = grey.reshape(-1, 1, rows, columns)
    grid = functional.affine_grid(theta, list(flat.shape), align_corners=False)
    moved = functional.grid_sample(flat, grid, align_corners=False)
    lit = (moved - 0.5) * contrast.exp()[:, None, None, None] + 0.5 + brightness[:, None, None, None]
    return lit.clamp(0, 1).reshape(count, views, rows, columns)
