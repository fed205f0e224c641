"""What a model has to beat: the class of most cases, and a regression on how bright the pictures are.

Both answer any :class:`~spine_fracture.evaluation.answers.Question`, about all cases that it is put about.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from spine_fracture.anatomy import Diagnosis
from spine_fracture.bundle import Manifest, read_bundle, write_bundle
from spine_fracture.errors import InsufficientEvidenceError, ModelFileError
from spine_fracture.evaluation.answers import QUESTIONS, Cost
from spine_fracture.training.cohorts.cases import answers_of
from spine_fracture.training.systems.brightness import cohort_name, examples
from spine_fracture.training.systems.family import (
    SCHEDULE,
    Family,
    Judged,
    SystemConfig,
    Tell,
    Trained,
    trained_as,
)

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
State = dict[str, Tensor]


class BaselineConfig(SystemConfig):
    """A baseline has nothing to set but its question."""

    unread_on_cohorts: ClassVar[frozenset[str]] = SCHEDULE

    def classes(self) -> tuple[Diagnosis, ...]:
        """Everything the question is about, its negative side first."""
        question = QUESTIONS[self.question]
        return (*question.negative, *question.positive)


@dataclass(frozen=True)
class Baseline:
    """``fit(means, truth, classes)`` takes mean intensities (n, 2) and indices of classes (n,), and gives the
    tensors that ``predict(state, means)`` makes probabilities (n, classes) from.
    """

    name: str
    fit: Callable[[FloatArray, IntArray, tuple[Diagnosis, ...]], State]
    predict: Callable[[State, FloatArray], FloatArray]


def fit_majority(means: FloatArray, truth: IntArray, classes: tuple[Diagnosis, ...]) -> State:
    """How many levels of each class there are."""
    return {"counts": torch.from_numpy(np.bincount(truth, minlength=len(classes)))}


def predict_majority(state: State, means: FloatArray) -> FloatArray:
    """Certain, every time, of the class that had most levels."""
    counts = state["counts"]
    return np.tile(np.eye(len(counts))[int(counts.argmax())], (len(means), 1))


def fit_intensity(means: FloatArray, truth: IntArray, classes: tuple[Diagnosis, ...]) -> State:
    """Logistic regression, multinomial where there are more than two classes, on the standardised means;
    scikit-learn's L2 penalty. What is kept, weights (classes, 2) and biases, is for the means as they are.
    """
    from sklearn.linear_model import LogisticRegression

    if len(set(truth.tolist())) < 2:
        raise InsufficientEvidenceError(
            f"All levels that teach are {classes[int(truth[0])]}: add patients of another class."
        )
    centre, spread = means.mean(axis=0), np.maximum(means.std(axis=0), 1e-6)
    fitted = LogisticRegression(max_iter=1000).fit((means - centre) / spread, truth)
    slopes = fitted.coef_ / spread
    weight, bias = np.zeros((len(classes), 2)), np.full(len(classes), -np.inf)
    bias[fitted.classes_] = 0.0
    # Of two classes only the second has coefficients, against the first.
    told = fitted.classes_[-len(slopes) :]
    weight[told], bias[told] = slopes, fitted.intercept_ - slopes @ centre
    return {"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias)}


def predict_intensity(state: State, means: FloatArray) -> FloatArray:
    """Softmax of the linear answers; a class that did not teach gets 0."""
    logits = torch.from_numpy(means) @ state["weight"].double().T + state["bias"].double()
    return np.asarray(torch.softmax(logits, dim=1).numpy())


def train(
    baseline: Baseline, config: BaselineConfig, cohort: Path, out: Path, seed: int, tell: Tell
) -> Trained:
    """Fit on every case of the patients who teach that the question is about."""
    started, classes = time.monotonic(), config.classes()
    found = examples(cohort, config.question, classes, teaching=True)
    if not found:
        raise InsufficientEvidenceError(
            f"Nothing that teaches is {' or '.join(classes)}: {config.question} cannot be learnt here."
        )
    truth = np.array([classes.index(example.diagnosis) for example in found], dtype=np.int64)
    state = baseline.fit(np.array([example.means for example in found]), truth, classes)
    manifest = write_bundle(
        out,
        state,
        Manifest(
            name=config.name,
            task="classification",
            family=baseline.name,
            architecture={},
            classes=classes,
            config=config.model_dump(mode="json"),
            seed=seed,
            training_patients=tuple(dict.fromkeys(example.patient for example in found)),
        ),
    )
    tell(f"{config.name}: fitted on {len(found)} cases")
    seconds = time.monotonic() - started
    return Trained(manifest, Cost(seconds=seconds, pictures=len(found), waited=0.0, device="CPU"))


def answer(baseline: Baseline, bundle: Path, cohort: Path) -> Judged:
    """The baseline's answer to every level that its question is about, and to patients by their index
    vertebra where other models have such answers; or to every patient of a cohort of radiographs.
    """
    manifest, state = read_bundle(bundle)
    if manifest.family != baseline.name:
        raise ModelFileError(
            f"Model {manifest.name} is a {manifest.family}, not a {baseline.name}: choose one of that family."
        )
    config = trained_as(manifest, BaselineConfig)
    found = examples(cohort, config.question, config.classes(), teaching=False)
    means = np.array([example.means for example in found]).reshape(-1, 2)
    given = baseline.predict(state, means)
    return Judged(
        answers_of(
            manifest,
            cohort_name(cohort),
            config.question,
            config.classes(),
            (case for example, row in zip(found, given, strict=True) for case in example.cases(row)),
        )
    )


def _family(baseline: Baseline) -> Family:
    return Family(
        baseline.name,
        "classifier",
        BaselineConfig,
        partial(train, baseline),
        partial(answer, baseline),
        reads=("studies", "radiographs"),
    )


MAJORITY = _family(Baseline("majority", fit_majority, predict_majority))
INTENSITY = _family(Baseline("intensity_regression", fit_intensity, predict_intensity))
