"""The family of our own: one network that sees the whole study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from spine_fracture.anatomy import MODEL_CLASSES
from spine_fracture.classification.whole_study import WholeStudyConfig
from spine_fracture.classification.whole_study_classifier import FAMILY as NAME
from spine_fracture.classification.whole_study_classifier import WholeStudyClassifier
from spine_fracture.evaluation.answers import MALIGNANT_OR_BENIGN, Case
from spine_fracture.evaluation.statistics.calibration import expected_calibration_error, fit_temperature
from spine_fracture.training.classifiers.config import Augmentation
from spine_fracture.training.cohorts.cases import answers_of, study_cases
from spine_fracture.training.cohorts.study_cache import StudyCache
from spine_fracture.training.systems.family import Family, Judged, SystemConfig, Tell, Trained, trained_as
from spine_fracture.training.systems.trained_bundle import classifier_manifest, fit_on_cohort, write_trained
from spine_fracture.training.systems.whole_study_cache import whole_study_cache
from spine_fracture.training.systems.whole_study_task import Teaching, WholeStudyTask


class WholeStudyTraining(SystemConfig):
    """A whole recipe. A batch of its schedule counts studies."""

    question: str = MALIGNANT_OR_BENIGN.name
    network: WholeStudyConfig = WholeStudyConfig()
    augmentation: Augmentation = Augmentation()
    teaching: Teaching = Teaching()


def task(config: WholeStudyTraining, cohort: Path, seed: int) -> WholeStudyTask:
    """The network, drawn from ``seed``, and the studies of ``cohort`` that it learns from."""
    cache = whole_study_cache(cohort, config.network.margin)
    torch.manual_seed(seed)
    return WholeStudyTask(cache, config.network, config.augmentation, config.teaching)


def train(config: WholeStudyTraining, cohort: Path, out: Path, seed: int, tell: Tell) -> Trained:
    """Train on the teaching studies of ``cohort``, keep the epoch of the lowest validation loss."""
    learning = task(config, cohort, seed)
    fitted = fit_on_cohort(learning, config, cohort, out, seed, tell)
    learning.network.load_state_dict(fitted.state)
    metrics: dict[str, float] = {}
    temperature = 1.0
    device = next(learning.network.parameters()).device
    logits, labels = (judged.numpy() for judged in learning.judged(learning.network, device))
    if len(labels):
        temperature = fit_temperature(logits, labels)
        metrics = {
            "validation.ece_before": expected_calibration_error(logits, labels),
            "validation.ece_after": expected_calibration_error(logits, labels, temperature),
        }
    manifest = classifier_manifest(
        config, seed, config.network, MODEL_CLASSES, learning.patients, temperature, metrics
    )
    return write_trained(out, fitted.state, fitted.cost, manifest)


def answer(bundle: Path, cohort: Path) -> Judged:
    """What the model says of every level, seen with the others of its study, and beside it what it says of
    the level alone.

    Each patient with an index vertebra also has a case without a level, what it says of that one, where the
    question is whether a fracture is malignant.
    """
    model, studies = WholeStudyClassifier.load(bundle), StudyCache(cohort / "studies")
    question = trained_as(model.manifest, WholeStudyTraining).question
    cases: list[Case] = []
    for at, label in enumerate(studies.labels):
        if label.part is None or not label.levels:
            continue
        pixels = studies[at].pixels.astype(np.float32) / np.float32(255)
        boxes = [level.on_slices() for level in label.levels]
        seen, alone = (
            study_cases(label, zip(label.levels, rows, strict=True), question)
            for rows in model.together_and_alone(pixels, boxes)
        )
        cases += (
            case.model_copy(update={"alone": other.probabilities})
            for case, other in zip(seen, alone, strict=True)
        )
    return Judged(answers_of(model.manifest, studies.name, question, MODEL_CLASSES, cases))


FAMILY = Family(NAME, "classifier", WholeStudyTraining, train, answer, task)
