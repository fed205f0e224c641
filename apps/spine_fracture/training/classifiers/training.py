"""From a cache of crops to a classifier bundle: from scratch, or on from a champion."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from pydantic import JsonValue

from spine_fracture.anatomy import MODEL_CLASSES
from spine_fracture.bundle import Manifest, read_bundle, write_bundle
from spine_fracture.classification.classifier import FAMILY
from spine_fracture.classification.sixchannel import SixChannelConfig, SixChannelNetwork
from spine_fracture.errors import ModelFileError
from spine_fracture.evaluation.statistics.calibration import fit_temperature
from spine_fracture.training.classifiers.cache import CropCache
from spine_fracture.training.classifiers.config import CropTraining
from spine_fracture.training.classifiers.loop import CropTask
from spine_fracture.training.classifiers.report import cache_metrics, level_answers
from spine_fracture.training.learning.checkpoint import Checkpointing
from spine_fracture.training.learning.loop import Progress, fit
from spine_fracture.training.systems.family import Trained
from spine_fracture.training.systems.trained_bundle import CHECKPOINT, write_trained

TASK = "classification"


def new_network(config: CropTraining, seed: int) -> SixChannelNetwork:
    """A network to be trained, its weights drawn from ``seed`` or those of ImageNet."""
    torch.manual_seed(seed)
    network = SixChannelNetwork(config.network)
    if config.imagenet is not None:
        network.trunk.start_from_imagenet(config.imagenet)
    return network


def train_classifier(
    cache: CropCache,
    config: CropTraining,
    seed: int,
    out: Path,
    initial: Path | None = None,
    progress: Progress = lambda epoch: None,
) -> Trained:
    """Train on the samples of ``cache`` that teach, choose by those held out, write a bundle to ``out``.

    With ``initial``, a bundle's folder, the training goes on from its weights and takes its
    architecture, and its training patients stay listed. Without held-out samples there is no early
    stop, and the temperature stays the initial model's, as it does where they are of one class. A checkpoint
    in ``out`` is taken up again.
    """
    before: Manifest | None = None
    if initial is None:
        network = new_network(config, seed)
    else:
        before, state = read_bundle(initial)
        config = config.model_copy(update={"network": _architecture(before)})
        network = SixChannelNetwork(config.network)
        network.load_state_dict(state)
    checkpoint = Checkpointing(out / CHECKPOINT, config, _taught_by(cache, before))
    fitted = fit(CropTask(network, cache, config, seed), config.schedule, seed, checkpoint, progress)
    network.load_state_dict(fitted.state)
    held_out = cache.where(held_out=True)
    temperature = before.temperature if before else 1.0
    metrics: dict[str, float] = {}
    if len(held_out):
        answers = level_answers(network, cache, held_out, config.network)
        temperature = fit_temperature(answers.logits, answers.labels, otherwise=temperature)
        metrics = cache_metrics(answers, config.network, temperature, "validation")
    return write_trained(
        out,
        fitted.state,
        fitted.cost,
        Manifest(
            name=config.name,
            task=TASK,
            family=FAMILY,
            architecture=_json(config.network),
            classes=tuple(MODEL_CLASSES),
            temperature=temperature,
            config=_json(config),
            seed=seed,
            training_patients=tuple(
                dict.fromkeys((*(before.training_patients if before else ()), *cache.patients))
            ),
            metrics=metrics,
        ),
    )


def _taught_by(cache: CropCache, before: Manifest | None) -> str:
    """A name for these crops and the model that the training goes on from; no others have it.

    Each study's usual signal is in it, so that pictures that were made otherwise are others.
    """
    digest = hashlib.sha256(json.dumps([cache.patients, before.digest if before else ""]).encode())
    for facts in (cache.samples, cache.references):
        digest.update(facts.tobytes())
    return digest.hexdigest()[:16]


def add_metrics(folder: Path, cache: CropCache, prefix: str) -> Manifest:
    """Measure a bundle on all samples of ``cache`` and keep the numbers in its manifest."""
    manifest, state = read_bundle(folder)
    config = _architecture(manifest)
    network = SixChannelNetwork(config)
    network.load_state_dict(state)
    answers = level_answers(network, cache, np.arange(len(cache)), config)
    numbers = cache_metrics(answers, config, manifest.temperature, prefix)
    return write_bundle(folder, state, manifest.model_copy(update={"metrics": manifest.metrics | numbers}))


def _architecture(manifest: Manifest) -> SixChannelConfig:
    if manifest.family != FAMILY:
        raise ModelFileError(
            f"{manifest.name} is a {manifest.family}: only a {FAMILY} model can be trained on here."
        )
    return SixChannelConfig.model_validate(manifest.architecture)


def _json(config: SixChannelConfig | CropTraining) -> dict[str, JsonValue]:
    values: dict[str, JsonValue] = config.model_dump(mode="json")
    return values
