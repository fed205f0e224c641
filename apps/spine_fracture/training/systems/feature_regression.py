"""The 15-feature logistic regression of Yeh et al. 2022, from reads: one vertebra a patient."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from spine_fracture.bundle import Manifest, write_bundle
from spine_fracture.classification.feature_regression import CLASSES, NAME, TASK, FeatureRegression, ticked
from spine_fracture.configuration import Positive
from spine_fracture.errors import InsufficientEvidenceError
from spine_fracture.evaluation.answers import MALIGNANT_OR_BENIGN, Cost, Question
from spine_fracture.training.cohorts.cases import answers_of, case_of
from spine_fracture.training.cohorts.checks import require_teachable
from spine_fracture.training.cohorts.study_cache import LevelLabel, StudyCache, StudyLabel
from spine_fracture.training.systems.family import (
    SCHEDULE,
    Family,
    Judged,
    SystemConfig,
    Tell,
    Trained,
    trained_as,
)


class FeatureRegressionConfig(SystemConfig):
    """``penalty`` weighs the L2 term, without which what one class alone shows has no finite odds."""

    unread_on_cohorts: ClassVar[frozenset[str]] = SCHEDULE

    answerable: ClassVar[tuple[Question, ...]] = (MALIGNANT_OR_BENIGN,)

    penalty: Positive = 1.0


def train(config: FeatureRegressionConfig, cohort: Path, out: Path, seed: int, tell: Tell) -> Trained:
    """Fit on the index vertebra of every patient who teaches; nothing here is random.

    Raises :class:`InsufficientEvidenceError` where there are not index vertebrae of either class.
    """
    from sklearn.linear_model import LogisticRegression

    started, cache = time.monotonic(), StudyCache(cohort / "studies")
    require_teachable(cache, MALIGNANT_OR_BENIGN)
    found = list(_index_levels(cache, teaching=True))
    if len({level.diagnosis for _, level in found}) < len(CLASSES):
        raise InsufficientEvidenceError(
            f"The training patients of {cache.name} have not both benign and malignant index vertebrae: "
            f"{index_remedy(cache)}."
        )
    truth = np.array([CLASSES.index(level.diagnosis) for _, level in found])
    fitted = LogisticRegression(C=1 / config.penalty, max_iter=1000)
    fitted.fit(ticked([level.features for _, level in found]), truth)
    manifest = write_bundle(
        out,
        {"weights": torch.from_numpy(fitted.coef_[0]), "bias": torch.from_numpy(fitted.intercept_)},
        Manifest(
            name=config.name,
            task=TASK,
            family=NAME,
            architecture={},
            classes=tuple(CLASSES),
            config=config.model_dump(mode="json"),
            seed=seed,
            training_patients=tuple(study.patient for study, _ in found),
        ),
    )
    tell(f"{config.name}: fitted on {len(found)} vertebrae")
    cost = Cost(seconds=time.monotonic() - started, pictures=len(found), waited=0.0, device="CPU")
    return Trained(manifest, cost)


def answer(bundle: Path, cohort: Path) -> Judged:
    """What the features of the other patients' index vertebrae say."""
    model, cache = FeatureRegression.load(bundle), StudyCache(cohort / "studies")
    config = trained_as(model.manifest, FeatureRegressionConfig)
    found = list(_index_levels(cache, teaching=False))
    chances = model.malignancy([level.features for _, level in found])
    cases = tuple(
        case_of(study, level, (1 - chance, chance))
        for (study, level), chance in zip(found, chances.tolist(), strict=True)
    )
    return Judged(answers_of(model.manifest, cache.name, config.question, CLASSES, cases))


def index_remedy(cache: StudyCache) -> str:
    """What helps where there are not index vertebrae of both classes to learn from."""
    if any(label.index_level is not None for label in cache.labels):
        return "add patients whose index vertebra is of the class that is missing"
    return (
        "no study says which one vertebra it is about, and those of `regions import` never do, so take a "
        "cohort that `spine-fracture cohort cache` or `cohort simulate` made"
    )


def _index_levels(cache: StudyCache, *, teaching: bool) -> Iterator[tuple[StudyLabel, LevelLabel]]:
    """The one vertebra of each patient that the paper's table is about."""
    for study in cache.labels:
        if (study.part is None) == teaching:
            yield from (
                (study, level)
                for level in study.levels
                if level.level is study.index_level and level.diagnosis in CLASSES
            )


FAMILY = Family(NAME, "classifier", FeatureRegressionConfig, train, answer)
