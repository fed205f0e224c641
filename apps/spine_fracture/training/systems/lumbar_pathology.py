"""The family of the lumbar pathology study: a ConvNeXt for each slice, trees that join a vertebra's slices.

The trees must not learn from answers to pictures that the network learnt from, which are surer than those
it gives to others. So a share of the training patients is kept from the network for the trees alone: one
training instead of one a fold, at the price of fewer patients for the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from torch import nn

from spine_fracture.anatomy import MODEL_CLASSES
from spine_fracture.classification.convnext import start_from_imagenet
from spine_fracture.classification.lumbar_pathology import (
    CLASSES,
    TREES,
    LumbarPathologyModel,
    SliceConfig,
    slice_network,
    study_features,
)
from spine_fracture.classification.lumbar_pathology import FAMILY as NAME
from spine_fracture.classification.slice_joiner import JoinerConfig, LevelFeatures, SliceJoiner
from spine_fracture.errors import InsufficientEvidenceError
from spine_fracture.evaluation.answers import SICK_OR_HEALTHY, Part, Question
from spine_fracture.evaluation.statistics.calibration import fit_temperature
from spine_fracture.training.cohorts.cases import answers_of, case_of
from spine_fracture.training.cohorts.study_cache import LevelLabel, StudyCache
from spine_fracture.training.learning.schedule import Schedule
from spine_fracture.training.systems.box_confidences import CohortConfidences
from spine_fracture.training.systems.family import Family, Judged, SystemConfig, Tell, Trained
from spine_fracture.training.systems.slice_augmentation import ROOM, changed_slices, plain_slices
from spine_fracture.training.systems.slice_pictures import (
    SlicePictures,
    acquired,
    channels,
    cut_pictures,
    refuse_one_sided,
    refuse_unacquired,
)
from spine_fracture.training.systems.slice_task import SliceTask
from spine_fracture.training.systems.trained_bundle import classifier_manifest, fit_on_cohort, write_trained

_SIDES = (*SICK_OR_HEALTHY.positive, *SICK_OR_HEALTHY.negative)


class LumbarPathologyTraining(SystemConfig):
    """A whole recipe. ``augmentation`` is its strength, 0 for none, 1 for the six-channel classifier's;
    ``imagenet`` a local safetensors file of torchvision's weights for the trunk, or none.
    """

    answerable: ClassVar[tuple[Question, ...]] = (SICK_OR_HEALTHY,)

    schedule: Schedule = Schedule(batch=64, learning_rate=4e-4, weight_decay=0.05)
    network: SliceConfig = SliceConfig()
    joiner: JoinerConfig = JoinerConfig()
    augmentation: Annotated[float, Field(ge=0)] = 1.0
    imagenet: Path | None = None


@dataclass(frozen=True)
class Roles:
    """Which studies of a cohort, by their places in it, the network learns from, the trees learn from, and
    the training is stopped by.
    """

    network: tuple[int, ...]
    trees: tuple[int, ...]
    validation: tuple[int, ...]


def roles_of(cache: StudyCache, config: LumbarPathologyTraining, seed: int) -> Roles:
    """Share the training patients out between network and trees, diseased and healthy ones alike.

    Raises :class:`InputError` where no study has the sequences, :class:`InsufficientEvidenceError` where
    either side is not there for both.
    """
    sequences = config.network.sequences
    refuse_unacquired(cache, sequences)
    teaching = acquired(cache, sequences, None)
    diseased = {cache.labels[at].patient: False for at in teaching}
    for at in teaching:
        label = cache.labels[at]
        diseased[label.patient] |= any(lv.diagnosis in SICK_OR_HEALTHY.positive for lv in label.levels)
    levels = [level for at in teaching for level in cache.labels[at].levels if _taught(level)]
    refuse_one_sided(
        cache, np.array([lv.diagnosis in SICK_OR_HEALTHY.positive for lv in levels], bool), SICK_OR_HEALTHY
    )
    kept: set[str] = set()
    rng = np.random.default_rng((seed, 1))
    for side in (True, False):
        patients = sorted(patient for patient, sick in diseased.items() if sick is side)
        kept |= set(rng.permutation(patients)[: round(config.joiner.share * len(patients))].tolist())
    roles = Roles(
        network=tuple(at for at in teaching if cache.labels[at].patient not in kept),
        trees=tuple(at for at in teaching if cache.labels[at].patient in kept),
        validation=acquired(cache, sequences, Part.VALIDATION),
    )
    for role, studies in (("the network", roles.network), ("the trees", roles.trees)):
        if not any(diseased[cache.labels[at].patient] for at in studies):
            raise InsufficientEvidenceError(
                f"{sum(diseased.values())} training patients of {cache.name} with a diseased level are too "
                f"few to leave one for {role}: add such patients, or set joiner.share nearer to one half."
            )
    return roles


def slice_task(config: LumbarPathologyTraining, cohort: Path, seed: int) -> SliceTask:
    """The network and the slices that it learns from and is stopped by."""
    cache = StudyCache(cohort / "studies")
    roles = roles_of(cache, config, seed)
    torch.manual_seed(seed)
    network = slice_network(config.network)
    if config.imagenet is not None:
        start_from_imagenet(network, config.imagenet)
    net = config.network

    def pictures(studies: tuple[int, ...]) -> SlicePictures:
        positive = SICK_OR_HEALTHY.positive
        return cut_pictures(cache, studies, net.sequences, net.size, net.margin, _taught, positive, ROOM)

    teaching = pictures(roles.network)
    refuse_one_sided(cache, teaching.positive, SICK_OR_HEALTHY)
    return SliceTask(
        network,
        teaching,
        pictures(roles.validation),
        lambda crops, references, generator: changed_slices(
            crops, references, net.size, config.augmentation, generator
        ),
        lambda crops, references: plain_slices(crops, references, net.size),
    )


def _taught(level: LevelLabel) -> bool:
    """Fractures and hemangiomas are neither side of the question."""
    return level.diagnosis in _SIDES


def train(config: LumbarPathologyTraining, cohort: Path, out: Path, seed: int, tell: Tell) -> Trained:
    """Train the network on slices, then the trees on its answers to patients that it never saw."""
    task = slice_task(config, cohort, seed)
    fitted = fit_on_cohort(task, config, cohort, out, seed, tell)
    cache = StudyCache(cohort / "studies")
    roles = roles_of(cache, config, seed)
    network = slice_network(config.network)
    # The trees see what will be served, and weights are kept in half precision.
    network.load_state_dict(
        {k: v.half().float() if v.is_floating_point() else v for k, v in fitted.state.items()}
    )
    network = network.to(next(task.network.parameters()).device).eval()
    confidences = CohortConfidences(cohort)
    features, diseased = _levels(network, config.network, cache, confidences, roles.trees)
    refuse_one_sided(cache, diseased, SICK_OR_HEALTHY)
    joiner = SliceJoiner.fit(features, diseased, config.joiner, seed)
    tell(f"{config.name}: trees grown on {len(features)} vertebrae, {int(diseased.sum())} of them diseased")
    judged, truth = _levels(network, config.network, cache, confidences, roles.validation)
    temperature = 1.0
    if len(truth):
        odds = joiner.logits(judged)
        temperature = fit_temperature(np.stack([np.zeros_like(odds), odds], axis=1), truth)
    everybody = (*roles.network, *roles.trees, *roles.validation)
    patients = tuple(dict.fromkeys(cache.labels[at].patient for at in everybody))
    manifest = classifier_manifest(config, seed, config.network, CLASSES, patients, temperature)
    return write_trained(out, fitted.state, fitted.cost, manifest, {TREES: joiner.to_text().encode()})


def _levels(
    network: nn.Module,
    config: SliceConfig,
    cache: StudyCache,
    confidences: CohortConfidences,
    studies: tuple[int, ...],
) -> tuple[list[LevelFeatures], npt.NDArray[np.bool_]]:
    """Features of the healthy and diseased vertebrae of these studies, and which are diseased."""
    features: list[LevelFeatures] = []
    diseased: list[bool] = []
    for at in studies:
        levels = cache.labels[at].levels
        pixels = channels(cache[at], config.sequences)
        boxes = [level.on_slices() for level in levels]
        found = study_features(network, config, pixels, boxes, confidences[at])
        for level, one in zip(levels, found, strict=True):
            if _taught(level):
                features.append(one)
                diseased.append(level.diagnosis in SICK_OR_HEALTHY.positive)
    return features, np.array(diseased, dtype=bool)


def answer(bundle: Path, cohort: Path) -> Judged:
    """What the model answers to all levels of the studies that have its sequences."""
    model, cache = LumbarPathologyModel.load(bundle), StudyCache(cohort / "studies")
    confidences = CohortConfidences(cohort)
    cases = []
    for part in Part:
        for at in acquired(cache, model.config.sequences, part):
            label = cache.labels[at]
            pixels = np.asarray(cache[at].pixels, np.float32) / np.float32(255)
            boxes = [level.on_slices() for level in label.levels]
            opinions = model.judge(pixels, boxes, confidences[at])
            cases += [
                case_of(label, level, opinion.probabilities)
                for level, opinion in zip(label.levels, opinions, strict=True)
            ]
    return Judged(answers_of(model.manifest, cache.name, SICK_OR_HEALTHY.name, MODEL_CLASSES, cases))


FAMILY = Family(NAME, "classifier", LumbarPathologyTraining, train, answer, slice_task)
