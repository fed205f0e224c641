"""Temperature scaling and calibration error."""

from __future__ import annotations

import numpy as np
import pytest

from spine_fracture.errors import InputError
from spine_fracture.evaluation.statistics.calibration import (
    expected_calibration_error,
    fit_temperature,
)


def cohort(temperature: float, n: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are ``temperature`` times too sure of labels drawn from their own softmax."""
    rng = np.random.default_rng(0)
    honest = rng.normal(0, 2, (n, 4))
    p = np.exp(honest) / np.exp(honest).sum(axis=1, keepdims=True)
    labels = (p.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return honest * temperature, labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_is_found(temperature: float) -> None:
    logits, labels = cohort(temperature)
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(temperature, rel=0.05)
    assert expected_calibration_error(logits, labels, found) < 0.02


def test_calibration_error_of_an_overconfident_model() -> None:
    logits, labels = cohort(3.0)
    assert expected_calibration_error(logits, labels) > 0.1


def test_a_model_without_an_error_stays_within_bounds() -> None:
    labels = np.arange(4)
    assert 0.05 <= fit_temperature(np.eye(4) * 5, labels) <= 20


def test_labels_of_one_class_tell_nothing_of_how_sure_to_be() -> None:
    logits = np.random.default_rng(0).normal(2, 1, (30, 2)) * [0, 1]
    assert fit_temperature(logits, np.ones(30)) == 1
    assert fit_temperature(logits, np.ones(30), otherwise=1.7) == 1.7


def test_answers_and_labels_must_match() -> None:
    with pytest.raises(InputError, match="labels"):
        fit_temperature(np.zeros((3, 4)), np.zeros(2))
    with pytest.raises(InputError, match="labels"):
        expected_calibration_error(np.zeros((0, 4)), np.zeros(0))
