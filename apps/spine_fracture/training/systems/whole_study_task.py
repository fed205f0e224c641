"""How the whole-study network learns, and what is asked of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from pydantic import model_validator
from torch import Tensor, nn
from torch.nn import functional

from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis
from spine_fracture.classification.whole_study import StudyLogits, WholeStudyConfig, WholeStudyNetwork
from spine_fracture.configuration import Amount, Config, Share
from spine_fracture.errors import InsufficientEvidenceError
from spine_fracture.imaging import CHANNELS
from spine_fracture.training.classifiers.config import Augmentation
from spine_fracture.training.systems.whole_study_augmentation import changed_view, drawn_changes, plain_view
from spine_fracture.training.systems.whole_study_batches import (
    StudyBatch,
    StudyView,
    drawn_view,
    joined,
    whole_view,
)
from spine_fracture.training.systems.whole_study_cache import UNTAUGHT, WholeStudyCache

_MALIGNANT = MODEL_CLASSES.index(Diagnosis.MALIGNANT)
#: Crops that go through the network at once when it judges.
_FORWARD_CROPS = 512


class Teaching(Config):
    """What is asked of the network, beside the class of each level in the light of the others.

    ``prevalence`` of MODEL_CLASSES is what the classes weigh as if they had it. ``alone`` weighs the same
    question put to each level without the others, ``study`` whether any level is malignant. Up to a share
    ``hidden`` of a study's levels, drawn anew each time, is left out.
    """

    prevalence: tuple[Amount, Amount, Amount, Amount] = (0.3, 0.3, 0.3, 0.1)
    alone: Amount = 0.5
    study: Amount = 0.1
    hidden: Share = 0.3

    @model_validator(mode="after")
    def _weighs_something(self) -> Self:
        if not sum(self.prevalence) > 0:
            raise ValueError("prevalence is 0 for all classes, so nothing would be learnt: set one above 0")
        return self


class WholeStudyTask:
    """A task of :func:`spine_fracture.training.learning.loop.fit`."""

    def __init__(
        self,
        cache: WholeStudyCache,
        config: WholeStudyConfig,
        augmentation: Augmentation,
        teaching: Teaching,
    ) -> None:
        network = WholeStudyNetwork(config)
        self.network: nn.Module = network.to(memory_format=torch.channels_last)
        #: Keys of everybody who teaches or says when to stop.
        self.patients = tuple(dict.fromkeys(cache.patients))
        self._cache, self._config = cache, config
        self._augmentation, self._teaching = augmentation, teaching
        self._weights = torch.from_numpy(class_weights(cache, teaching.prevalence))

    def batch(self, rng: np.random.Generator, size: int) -> StudyBatch:
        how, config = self._augmentation, self._config
        views = [
            drawn_view(self._cache[at], config.slices, self._teaching.hidden, how, rng)
            for at in rng.choice(self._cache.teaching, size)
        ]
        batch = joined(self._cache, views)
        changes = drawn_changes(how, config.margin, batch.slices, batch.levels, len(CHANNELS), rng)
        return replace(batch, changes=changes)

    def loss(self, network: nn.Module, batch: StudyBatch, device: torch.device) -> Tensor:
        sent = batch.to(device)
        answers = self._answers(network, sent, device)
        weights = self._weights.to(device)[sent.labels] * (sent.labels != UNTAUGHT)
        taught = (sent.labels != UNTAUGHT).sum().clamp(min=1)
        malignant = sent.labels.new_zeros(sent.levels.count)
        malignant.index_add_(0, sent.levels.sequence, (sent.labels == _MALIGNANT).long())

        def wrong(logits: Tensor) -> Tensor:
            entropy = functional.cross_entropy(
                logits.float(), sent.labels, reduction="none", ignore_index=UNTAUGHT
            )
            return (weights * entropy).sum() / taught

        suspected = functional.binary_cross_entropy_with_logits(
            answers.studies.float(), (malignant > 0).float()
        )
        asked = self._teaching
        return wrong(answers.levels) + asked.alone * wrong(answers.alone) + asked.study * suspected

    def validation_loss(self, network: nn.Module, device: torch.device) -> float | None:
        logits, labels = self.judged(network, device)
        if len(set(labels[self._weights[labels] > 0].tolist())) < 2:  # nothing is told apart
            return None
        return float(functional.cross_entropy(logits, labels, self._weights.double()))

    def judged(self, network: nn.Module, device: torch.device) -> tuple[Tensor, Tensor]:
        """Logits (n, 4), float64, and labels (n,) of all levels of MODEL_CLASSES that validate."""
        network.eval()
        logits, labels = [torch.zeros(0, len(MODEL_CLASSES)).double()], [torch.zeros(0).long()]
        with torch.inference_mode():
            for views in self._in_turn(self._cache.validating):
                batch = joined(self._cache, views).to(device)
                taught = batch.labels != UNTAUGHT
                logits.append(self._answers(network, batch, device).levels[taught].double().cpu())
                labels.append(batch.labels[taught].cpu())
        return torch.cat(logits), torch.cat(labels)

    def _answers(self, network: nn.Module, batch: StudyBatch, device: torch.device) -> StudyLogits:
        with torch.autocast(device.type, enabled=False):
            size, margin = self._config.size, self._config.margin
            if batch.changes is None:
                view = plain_view(batch.crops, batch.references, size, margin)
            else:
                view = changed_view(batch.crops, batch.references, batch.present, batch.changes, size)
        answers: StudyLogits = network(
            view.contiguous(memory_format=torch.channels_last), batch.present, batch.slices, batch.levels
        )
        return answers

    def _in_turn(self, studies: npt.NDArray[np.intp]) -> Iterator[list[StudyView]]:
        """Whole studies, some at a time."""
        waiting: list[StudyView] = []
        for at in studies:
            waiting.append(whole_view(self._cache[at], self._config.slices))
            if sum(len(view.rows) for view in waiting) >= _FORWARD_CROPS:
                yield waiting
                waiting = []
        if waiting:
            yield waiting


def class_weights(cache: WholeStudyCache, prevalence: Sequence[float]) -> npt.NDArray[np.float32]:
    """How much a level of each class weighs, (4,), 1 on average: as if the classes had ``prevalence``.

    A class that nobody has weighs nothing, and the others make up for it. Raises
    :class:`InsufficientEvidenceError` where there is one class alone, or none that ``prevalence`` weighs.
    """
    labels = np.concatenate([np.zeros(0, np.int64), *(cache[int(at)].labels for at in cache.teaching)])
    counts = np.bincount(labels[labels != UNTAUGHT], minlength=len(MODEL_CLASSES))
    if (counts > 0).sum() < 2:
        known = ", ".join(c for c, n in zip(MODEL_CLASSES, counts, strict=True) if n) or "nothing"
        raise InsufficientEvidenceError(
            f"The levels of the training patients show {known} alone: add patients of another class."
        )
    wanted = np.where(counts > 0, prevalence, 0.0)
    if not wanted.any():
        known = ", ".join(c for c, n in zip(MODEL_CLASSES, counts, strict=True) if n)
        raise InsufficientEvidenceError(
            f"teaching.prevalence is 0 for all that the levels of the training patients show ({known}): set "
            "one of these above 0, or add patients of another class."
        )
    frequency = counts / counts.sum()
    return np.divide(wanted / wanted.sum(), frequency, out=np.zeros(len(counts)), where=counts > 0).astype(
        np.float32
    )
