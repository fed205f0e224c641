"""Uncertainty and its reasons: limits, order, and words."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spine_fracture.active_learning.reasons import reasons
from spine_fracture.active_learning.uncertainty import (
    UncertaintyWeights,
    combined,
    jensen_shannon,
    normalised_entropy,
    score_level,
)
from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis
from spine_fracture.classification import hemangioma, lumbar_pathology, yeh2022
from spine_fracture.errors import InputError
from spine_fracture.levels import Uncertainty

CALM = Uncertainty(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
SURE = (0.97, 0.01, 0.01, 0.01)


@dataclass(frozen=True)
class Answer:
    probabilities: tuple[float, ...] = SURE
    t1_only: tuple[float, ...] | None = SURE
    t2_only: tuple[float, ...] | None = SURE
    augmentation_spread: float = 0.0


@st.composite
def distributions(draw: st.DrawFn) -> tuple[float, ...]:
    raw = [draw(st.floats(0.0, 1.0)) + 1e-9 for _ in range(4)]
    return tuple(value / sum(raw) for value in raw)


def score(
    answer: Answer,
    abnormal: float = 0.03,
    detection: float = 0.95,
    sure: bool = True,
    taught: tuple[Diagnosis, ...] = MODEL_CLASSES,
):
    return score_level(
        answer,
        taught=taught,
        detector_abnormal=abnormal,
        detection_score=detection,
        numbering_sure=sure,
    )


def test_entropy_is_zero_when_certain_and_one_when_uniform() -> None:
    assert normalised_entropy((1, 0, 0, 0)) == 0.0
    assert normalised_entropy((0.25,) * 4) == pytest.approx(1.0)


@given(distributions(), distributions())
def test_divergence_is_symmetric_bounded_and_zero_for_equals(
    p: tuple[float, ...], q: tuple[float, ...]
) -> None:
    assert 0.0 <= jensen_shannon(p, q) <= 1.0
    assert jensen_shannon(p, q) == pytest.approx(jensen_shannon(q, p), abs=1e-9)
    assert jensen_shannon(p, p) == pytest.approx(0.0, abs=1e-9)


def test_opposite_certainties_diverge_fully() -> None:
    assert jensen_shannon((1, 0, 0, 0), (0, 1, 0, 0)) == pytest.approx(1.0)


@given(distributions(), distributions(), st.floats(0, 1), st.floats(0, 1), st.booleans())
def test_every_part_and_the_combination_stay_in_the_unit_interval(p, q, abnormal, detection, sure) -> None:
    uncertainty, _ = score(Answer(p, p, q, 0.2), abnormal, detection, sure)
    for part in UncertaintyWeights.model_fields:
        assert 0.0 <= getattr(uncertainty, part) <= 1.0
    assert 0.0 <= combined(uncertainty) <= 1.0


def test_a_missing_sequence_is_not_a_disagreement() -> None:
    uncertainty, words = score(Answer(t1_only=None))
    assert uncertainty.sequence_disagreement == 0.0
    assert words == ()


def of_two(classes: tuple[Diagnosis, ...], second: float) -> Answer:
    """What a classifier of these two classes says; it never answers to one sequence alone."""
    shares = dict(zip(classes, (1.0 - second, second), strict=True))
    return Answer(tuple(shares.get(diagnosis, 0.0) for diagnosis in MODEL_CLASSES), None, None)


@pytest.mark.parametrize("classes", [yeh2022.CLASSES, hemangioma.CLASSES, lumbar_pathology.CLASSES])
def test_a_classifier_of_two_classes_is_most_unsure_between_them(classes: tuple[Diagnosis, ...]) -> None:
    torn, _ = score(of_two(classes, 0.5), abnormal=0.5, taught=classes)
    sure, _ = score(of_two(classes, 1.0), abnormal=1.0, taught=classes)
    assert (torn.entropy, sure.entropy) == (pytest.approx(1.0), 0.0)
    assert combined(torn) > combined(sure)


@pytest.mark.parametrize("abnormal", [0.02, 0.98])
def test_who_was_not_taught_what_is_normal_does_not_disagree_with_the_detector(abnormal: float) -> None:
    """It calls every vertebra diseased: a healthy one that the detector knows for one is no disagreement."""
    for classes in (yeh2022.CLASSES, hemangioma.CLASSES):
        uncertainty, words = score(of_two(classes, 0.99), abnormal, taught=classes)
        assert uncertainty.detector_disagreement == 0.0 and words == ()
    healthy, _ = score(of_two(lumbar_pathology.CLASSES, 0.99), abnormal, taught=lumbar_pathology.CLASSES)
    assert healthy.detector_disagreement == pytest.approx(abs(abnormal - 0.99))


@pytest.mark.parametrize("part", list(UncertaintyWeights.model_fields))
def test_each_part_raises_the_combined_score(part: str) -> None:
    assert combined(replace(CALM, **{part: 1.0})) > combined(CALM)


def test_weights_decide_what_counts() -> None:
    only_numbering = UncertaintyWeights(
        entropy=0, sequence_disagreement=0, detector_disagreement=0, detection=0, augmentation=0
    )
    assert combined(replace(CALM, numbering=1.0), only_numbering) == 1.0
    assert combined(replace(CALM, entropy=1.0), only_numbering) == 0.0
    with pytest.raises(InputError, match="above zero"):
        combined(CALM, only_numbering.model_copy(update={"numbering": 0.0}))


def test_reasons_are_words_for_what_is_doubtful() -> None:
    malignant = (0.01, 0.01, 0.97, 0.01)
    assert score(Answer())[1] == ()
    assert "T1 and T2 disagree" in score(Answer(t1_only=malignant))[1]
    assert "detector and classifier disagree" in score(Answer(), abnormal=0.95)[1]
    assert "numbering is unsure" in score(Answer(), sure=False)[1]
    assert "the vertebra was hard to find" in score(Answer(), detection=0.2)[1]
    assert "small changes" in score(Answer(augmentation_spread=0.3))[1][0]


def test_equally_likely_classes_are_named() -> None:
    assert score(Answer((0.02, 0.49, 0.47, 0.02)), abnormal=0.97)[1] == (
        "benign fracture and malignant about equally likely",
    )
    assert reasons(replace(CALM, entropy=0.8), (0.7, 0.1, 0.1, 0.1)) == (
        "normal is the most likely, but not clearly",
    )


def test_the_strongest_reason_comes_first() -> None:
    doubtful = replace(CALM, numbering=1.0, sequence_disagreement=0.2)
    assert reasons(doubtful, SURE) == ("numbering is unsure", "T1 and T2 disagree")


def test_nonsense_probabilities_are_refused() -> None:
    with pytest.raises(InputError):
        normalised_entropy((float("nan"), 1.0))


def test_scoring_needs_no_database_and_no_registry() -> None:
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['sqlalchemy', 'mlflow', 'monailabel', 'pydicom']));"
        "import spine_fracture.active_learning.uncertainty"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
