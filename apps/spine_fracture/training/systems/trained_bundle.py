"""How a network that was trained on a cohort becomes a bundle, alike in every family."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from pydantic import BaseModel
from torch import Tensor

from spine_fracture.bundle import Manifest, write_bundle
from spine_fracture.evaluation.answers import Cost
from spine_fracture.training.cohorts.study_cache import StudyCache
from spine_fracture.training.learning.checkpoint import Checkpointing
from spine_fracture.training.learning.loop import Fitted, Task, fit
from spine_fracture.training.systems.family import SystemConfig, Tell, Trained, telling

B = TypeVar("B")
#: What a training keeps in the bundle's folder until the bundle is there.
CHECKPOINT = "checkpoint.pt"


def fit_on_cohort(
    task: Task[B], config: SystemConfig, cohort: Path, out: Path, seed: int, tell: Tell
) -> Fitted:
    """:func:`fit` on the studies of ``cohort``, with a checkpoint in ``out`` from which it goes on."""
    checkpoint = Checkpointing(out / CHECKPOINT, config.as_read, StudyCache(cohort / "studies").name)
    return fit(task, config.schedule, seed, checkpoint, telling(config.name, tell))


def classifier_manifest(
    config: SystemConfig,
    seed: int,
    architecture: BaseModel,
    classes: tuple[str, ...],
    training_patients: tuple[str, ...],
    temperature: float = 1.0,
    metrics: Mapping[str, float] = MappingProxyType({}),
) -> Manifest:
    """What a classifier trained by ``config`` says of itself; ``architecture`` is what builds its network."""
    return Manifest(
        name=config.name,
        task="classification",
        family=config.family,
        architecture=architecture.model_dump(mode="json"),
        classes=classes,
        temperature=temperature,
        config=config.model_dump(mode="json"),
        seed=seed,
        training_patients=training_patients,
        metrics=dict(metrics),
    )


def write_trained(
    out: Path,
    state: Mapping[str, Tensor],
    cost: Cost,
    manifest: Manifest,
    attachments: Mapping[str, bytes] = MappingProxyType({}),
) -> Trained:
    """Write the bundle, its metrics headed by how many epochs there were and which was the best, and take
    the checkpoint away.
    """
    epochs = {"epochs": float(cost.epochs), "best_epoch": float(cost.best_epoch)}
    manifest = manifest.model_copy(update={"metrics": epochs | manifest.metrics})
    written = write_bundle(out, state, manifest, attachments)
    (out / CHECKPOINT).unlink(missing_ok=True)
    return Trained(written, cost)
