"""The family of the classifier in the package: the six-channel network, one level at a time."""

from __future__ import annotations

from pathlib import Path

from spine_fracture.anatomy import MODEL_CLASSES
from spine_fracture.classification.classifier import FAMILY as NAME
from spine_fracture.classification.classifier import LevelClassifier
from spine_fracture.evaluation.answers import MALIGNANT_OR_BENIGN, Case
from spine_fracture.imaging import PAIR
from spine_fracture.training.classifiers.config import CropTraining
from spine_fracture.training.classifiers.loop import CropTask
from spine_fracture.training.classifiers.training import new_network, train_classifier
from spine_fracture.training.cohorts.cases import answers_of, study_cases
from spine_fracture.training.cohorts.study_cache import StudyCache
from spine_fracture.training.systems.family import Family, Judged, SystemConfig, Tell, Trained, telling
from spine_fracture.training.systems.level_crops import level_crop_cache


class SixChannelTraining(SystemConfig, CropTraining):
    """A whole recipe; the crops are cut from the cohort."""


def crop_task(config: SixChannelTraining, cohort: Path, seed: int) -> CropTask:
    """The network and the crops that it learns from."""
    cache = level_crop_cache(cohort, config.network.margin)
    return CropTask(new_network(config, seed), cache, config, seed)


def train(config: SixChannelTraining, cohort: Path, out: Path, seed: int, tell: Tell) -> Trained:
    """Train on the levels of ``cohort``, keep the epoch of the lowest validation loss, and calibrate."""
    cache = level_crop_cache(cohort, config.network.margin)
    return train_classifier(cache, config, seed, out, progress=telling(config.name, tell))


def answer(bundle: Path, cohort: Path) -> Judged:
    """What the model says of every level, as the server asks it: all levels of a study, all their slices.

    Each patient with an index vertebra also has a case without a level: what it says of that one,
    where the question is whether a fracture is malignant.
    """
    model, studies = LevelClassifier.load(bundle, "torch"), StudyCache(cohort / "studies")
    # The model in the package was trained on crops, not on a cohort, and its configuration asks nothing.
    question = str(model.manifest.config.get("question", MALIGNANT_OR_BENIGN.name))
    cases: list[Case] = []
    for at, label in enumerate(studies.labels):
        if label.part is None or not label.has_any(PAIR):
            continue
        opinions = model.classify(studies[at].pair(), [level.on_slices() for level in label.levels])
        rows = [opinion.probabilities for opinion in opinions]
        cases += study_cases(label, zip(label.levels, rows, strict=True), question)
    return Judged(answers_of(model.manifest, studies.name, question, MODEL_CLASSES, cases))


FAMILY = Family(NAME, "classifier", SixChannelTraining, train, answer, crop_task)
