"""The bootstrap covers what it promises, respects patients, and DeLong matches known results."""

from __future__ import annotations

import numpy as np
import pytest

from spine_fracture.errors import InsufficientEvidenceError
from spine_fracture.evaluation.statistics.delong import delong, delong_difference
from spine_fracture.evaluation.statistics.intervals import (
    Resampling,
    auc_interval,
    cluster_bootstrap,
    macro_f1_difference,
)
from spine_fracture.evaluation.statistics.metrics import auc


def mean(sums: np.ndarray) -> np.ndarray:
    """Of patients that add (sum of values, number of values)."""
    return sums[:, 0] / sums[:, 1]


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Levels of a patient share an offset; resampling levels instead would cover far less."""
    rng = np.random.default_rng(1)
    covered = naive = 0
    for trial in range(200):
        values = rng.normal(size=(50, 1)) + 0.3 * rng.normal(size=(50, 6))
        how = Resampling(draws=400, seed=trial)
        by_patient = cluster_bootstrap(np.stack([values.sum(1), np.full(50, 6)], 1), mean, how)
        by_level = cluster_bootstrap(np.stack([values.ravel(), np.ones(300)], 1), mean, how)
        covered += by_patient.low <= 0 <= by_patient.high
        naive += by_level.low <= 0 <= by_level.high
    assert 0.89 <= covered / 200 <= 0.99
    assert naive / 200 < 0.75


def test_a_seed_gives_the_same_interval() -> None:
    data = np.stack([np.arange(12.0), np.ones(12)], 1)
    assert cluster_bootstrap(data, mean) == cluster_bootstrap(data, mean)
    assert cluster_bootstrap(data, mean) != cluster_bootstrap(data, mean, Resampling(seed=7))


def test_pairing_makes_equal_models_differ_by_exactly_nothing() -> None:
    rng = np.random.default_rng(2)
    truth, answer = rng.integers(0, 4, 120), rng.integers(0, 4, 120)
    patients = [f"p{i // 6}" for i in range(120)]
    same = macro_f1_difference(truth, answer, answer, patients, 4)
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)


def test_a_better_model_has_a_positive_difference_and_order_matters() -> None:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 4, 300)
    worse = np.where(rng.random(300) < 0.4, rng.integers(0, 4, 300), truth)
    patients = [i // 6 for i in range(300)]
    gain = macro_f1_difference(truth, worse, truth, patients, 4)
    loss = macro_f1_difference(truth, truth, worse, patients, 4)
    assert 0 < gain.low < gain.value < gain.high
    assert (loss.value, loss.low, loss.high) == pytest.approx((-gain.value, -gain.high, -gain.low))


def test_auc_interval_holds_the_auc_and_widens_with_fewer_patients() -> None:
    rng = np.random.default_rng(4)
    positive = rng.random(240) < 0.3
    score = positive + rng.normal(size=240)
    many = auc_interval(score, positive, list(range(240)))
    few = auc_interval(score, positive, [i // 24 for i in range(240)])
    assert many.value == few.value == pytest.approx(auc(score, positive))
    assert many.low < many.value < many.high
    with pytest.raises(InsufficientEvidenceError):
        auc_interval([0.1, 0.2], [True, True], ["a", "b"])


def test_delong_agrees_with_the_bootstrap_on_independent_cases() -> None:
    rng = np.random.default_rng(5)
    positive = rng.random(400) < 0.4
    score = 1.2 * positive + rng.normal(size=400)
    exact, drawn = delong(score, positive), auc_interval(score, positive, list(range(400)))
    assert exact.value == pytest.approx(drawn.value)
    assert exact.low == pytest.approx(drawn.low, abs=0.01)
    assert exact.high == pytest.approx(drawn.high, abs=0.01)


def test_delong_variance_by_hand() -> None:
    """Positives 3, 1; negatives 2, 0: wins [[1, 1], [0, 1]], components (1, .5) and (.5, 1)."""
    answer = delong([3, 1, 2, 0], [True, True, False, False], confidence=0.6826894921)
    assert answer.value == 0.75
    assert answer.value - answer.low == pytest.approx(np.sqrt(0.125 / 2 + 0.125 / 2), abs=1e-6)


def test_delong_p_values_are_uniform_when_nothing_differs() -> None:
    rng = np.random.default_rng(6)
    found = 0
    for _ in range(300):
        positive = np.arange(80) < 40
        first, second = (positive + rng.normal(size=80) for _ in range(2))
        found += delong_difference(first, second, positive).p_value < 0.05
    assert 0.02 <= found / 300 <= 0.09
    equal = delong_difference(first, first, positive)
    assert equal.p_value == 1.0 and equal.difference.value == 0.0


def test_one_patient_is_no_evidence() -> None:
    with pytest.raises(InsufficientEvidenceError, match="2 patients, has 1"):
        macro_f1_difference([0, 1], [0, 1], [1, 0], ["a", "a"], 2)
