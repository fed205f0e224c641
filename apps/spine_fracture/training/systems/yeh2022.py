"""The family of Yeh et al. 2022: one fractured vertebra a patient, malignant or benign.

The paper draws 20 random copies of every benign slice and 40 of every malignant one before it trains. Here
each copy is drawn when it is needed, a class as often as its copies are many: the same in expectation, and
no copy comes twice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from pydantic import model_validator
from torch import Tensor, nn
from torch.nn import functional

from spine_fracture.classification.crops import CHANNELS
from spine_fracture.classification.yeh2022 import (
    CLASSES,
    NAME,
    FractureClassifier,
    FractureConfig,
    FractureNetwork,
    standardised,
    vertebra_crops,
)
from spine_fracture.configuration import Amount, Config
from spine_fracture.errors import InsufficientEvidenceError
from spine_fracture.evaluation.answers import MALIGNANT_OR_BENIGN, Case, Part, Question
from spine_fracture.imaging import PAIR
from spine_fracture.training.classifiers.augmentation import cut
from spine_fracture.training.cohorts.cases import answers_of, study_cases
from spine_fracture.training.cohorts.study_cache import StudyCache
from spine_fracture.training.learning.schedule import Schedule
from spine_fracture.training.systems.family import Family, Judged, SystemConfig, Tell, Trained
from spine_fracture.training.systems.feature_regression import index_remedy
from spine_fracture.training.systems.trained_bundle import classifier_manifest, fit_on_cohort, write_trained

#: Crops are kept this much wider than the square, so that they can be moved and turned.
_ROOM = 2.0
_UNCHANGED = np.array([1, 0, 0, 0], np.float32)  # see SliceBatch.affine
_FORWARD_BATCH = 256


class Affine(Config):
    """How far a copy is changed at most, drawn evenly: ``shift`` in shares of the square's side, ``scale``
    a share of its size, ``turn`` degrees.
    """

    shift: float = 0.1
    scale: float = 0.1
    turn: float = 15.0


class Copies(Config):
    """How many copies of each slice of a class stand for it."""

    benign: Amount = 20.0
    malignant: Amount = 40.0

    @model_validator(mode="after")
    def _draws_something(self) -> Self:
        if not self.benign + self.malignant > 0:
            raise ValueError("benign and malignant are both 0, so nothing would be drawn: set one above 0")
        return self


#: Adam at an even rate; how long an epoch is, how strong the L2 penalty and how patient it is are ours.
_SCHEDULE = Schedule(
    epochs=100, steps=400, batch=32, optimiser="adam", learning_rate=1e-4, beta1=0.5, weight_decay=1e-4,
    warm_up=0, final=1, averaging=0, patience=15,
)  # fmt: skip


class FractureTraining(SystemConfig):
    """A whole recipe. ``imagenet`` is a local safetensors file for the trunk, or none."""

    answerable: ClassVar[tuple[Question, ...]] = (MALIGNANT_OR_BENIGN,)

    schedule: Schedule = _SCHEDULE

    network: FractureConfig = FractureConfig()
    augmentation: Affine = Affine()
    copies: Copies = Copies()
    imagenet: Path | None = None


@dataclass(frozen=True, eq=False)
class LesionSlices:
    """``crops`` (n, 6, side, side) uint8, ``_ROOM`` times as wide as the square; ``malignant`` (n,);
    ``patients`` (n,) keys.
    """

    crops: npt.NDArray[np.uint8]
    malignant: npt.NDArray[np.bool_]
    patients: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.crops)


@dataclass(frozen=True, eq=False)
class SliceBatch:
    """``crops`` as in :class:`LesionSlices`, ``malignant`` (n,) 0 or 1, and how each crop is changed:
    ``affine`` (n, 4), size, then across and along in shares of the square, then turn in radians.
    """

    crops: npt.NDArray[np.uint8]
    malignant: npt.NDArray[np.float32]
    affine: npt.NDArray[np.float32]


class SliceTask:
    """Is the vertebra of this slice malignant? Binary cross-entropy over slices."""

    def __init__(
        self, network: nn.Module, teaching: LesionSlices, judging: LesionSlices, config: FractureTraining
    ) -> None:
        self.network = network.to(memory_format=torch.channels_last)
        #: Keys of everybody who teaches or says when to stop.
        self.patients = tuple(dict.fromkeys((*teaching.patients, *judging.patients)))
        self._teaching, self._judging = teaching, judging
        self._size, self._how = config.network.size, config.augmentation
        weight = np.where(teaching.malignant, config.copies.malignant, config.copies.benign)
        self._share = weight / weight.sum()

    def batch(self, rng: np.random.Generator, size: int) -> SliceBatch:
        index = rng.choice(len(self._teaching), size=size, p=self._share)
        how = self._how
        reach = np.array([how.scale, how.shift, how.shift, math.radians(how.turn)])
        affine = _UNCHANGED + rng.uniform(-reach, reach, (size, 4))
        teaching = self._teaching
        return SliceBatch(
            teaching.crops[index], teaching.malignant[index].astype(np.float32), affine.astype(np.float32)
        )

    def loss(self, network: nn.Module, batch: SliceBatch, device: torch.device) -> Tensor:
        with torch.autocast(device.type, enabled=False):
            patches = self._patches(batch.crops, batch.affine, device)
        logits = network(patches)[:, 0].float()
        return functional.binary_cross_entropy_with_logits(
            logits, torch.from_numpy(batch.malignant).to(device)
        )

    def validation_loss(self, network: nn.Module, device: torch.device) -> float | None:
        malignant = self._judging.malignant
        if malignant.all() or not malignant.any():  # one side cannot tell two apart
            return None
        parts = []
        for at in range(0, len(self._judging), _FORWARD_BATCH):
            crops = self._judging.crops[at : at + _FORWARD_BATCH]
            patches = self._patches(crops, np.tile(_UNCHANGED, (len(crops), 1)), device)
            parts.append(network(patches)[:, 0].float().cpu())
        truth = torch.from_numpy(malignant.astype(np.float32))
        return float(functional.binary_cross_entropy_with_logits(torch.cat(parts), truth))

    def _patches(
        self, crops: npt.NDArray[np.uint8], affine: npt.NDArray[np.float32], device: torch.device
    ) -> Tensor:
        """Changed, cut to the square and standardised: (n, 6, size, size)."""
        signal = torch.from_numpy(crops).to(device).float() / 255
        scale, across, along, turn = torch.from_numpy(affine).to(device).unbind(dim=1)
        zoom, step = scale / _ROOM, 2 / _ROOM
        square = cut(signal, zoom, zoom, across * step, along * step, turn, self._size)
        return standardised(square).contiguous(memory_format=torch.channels_last)


def lesion_slices(studies: StudyCache, part: Part | None, size: int) -> LesionSlices:
    """The index vertebra's slices of all patients of ``part`` (None: who teach) who have a fracture, and both
    T1 and T2.
    """
    side = round(size * _ROOM)
    crops, malignant, patients = [np.zeros((0, CHANNELS, side, side), np.uint8)], [], []
    for at, label in enumerate(studies.labels):
        index = next((level for level in label.levels if level.level is label.index_level), None)
        if label.part is not part or index is None or index.diagnosis not in CLASSES or not label.has(PAIR):
            continue
        cut_out = vertebra_crops(studies[at].pair(), index.shown_on_slices(), side, _ROOM)
        crops.append(np.rint(cut_out * 255).astype(np.uint8))
        malignant += [index.diagnosis is CLASSES[1]] * len(cut_out)
        patients += [label.patient] * len(cut_out)
    return LesionSlices(np.concatenate(crops), np.array(malignant, dtype=bool), tuple(patients))


def slice_task(config: FractureTraining, cohort: Path, seed: int) -> SliceTask:
    """The network and the slices that it learns from and is stopped by."""
    studies, size = StudyCache(cohort / "studies"), config.network.size
    teaching = lesion_slices(studies, None, size)
    if len(set(teaching.malignant.tolist())) < 2:
        raise InsufficientEvidenceError(
            f"The training patients of {studies.name} have not both benign and malignant index vertebrae "
            f"that T1 and T2 show: {index_remedy(studies)}."
        )
    torch.manual_seed(seed)
    network = FractureNetwork(config.network)
    if config.imagenet is not None:
        network.trunk.start_from_imagenet(config.imagenet)
    return SliceTask(network, teaching, lesion_slices(studies, Part.VALIDATION, size), config)


def train(config: FractureTraining, cohort: Path, out: Path, seed: int, tell: Tell) -> Trained:
    """Train on the index vertebrae of ``cohort``, keep the epoch of the lowest validation loss."""
    task = slice_task(config, cohort, seed)
    fitted = fit_on_cohort(task, config, cohort, out, seed, tell)
    manifest = classifier_manifest(config, seed, config.network, CLASSES, task.patients)
    return write_trained(out, fitted.state, fitted.cost, manifest)


def answer(bundle: Path, cohort: Path) -> Judged:
    """The malignancy of every fractured or malignant level, seen on the slices that hold its lesion.

    As in the paper these slices are known. Each patient also has a case without a level: the highest
    answer to the slices of the index vertebra.
    """
    model, studies = FractureClassifier.load(bundle, "torch"), StudyCache(cohort / "studies")
    cases: list[Case] = []
    for at, label in enumerate(studies.labels):
        asked = [level for level in label.levels if level.diagnosis in CLASSES]
        if label.part is None or not asked or not label.has(PAIR):
            continue
        chances = model.malignancy(studies[at].pair(), [level.shown_on_slices() for level in asked])
        rows = [(1 - chance, chance) for chance in chances]
        cases += study_cases(label, zip(asked, rows, strict=True), MALIGNANT_OR_BENIGN.name)
    return Judged(answers_of(model.manifest, studies.name, MALIGNANT_OR_BENIGN.name, CLASSES, cases))


FAMILY = Family(NAME, "classifier", FractureTraining, train, answer, slice_task)
