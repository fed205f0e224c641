"""DeLong's intervals against the data of the paper that proposed them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from spine_fracture.errors import InsufficientEvidenceError
from spine_fracture.evaluation.statistics.delong import delong, delong_difference

# Albumin, total protein, K-G score, outcome of the 43 complete patients of DeLong et al. 1988, and what
# the documentation of SAS's PROC LOGISTIC finds ("Comparing Receiver Operating Characteristic Curves").
OVARIAN = np.fromstring(
    """
    3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0  1.6 5.6 5 1
    3.8 5.7 5 1  3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1  4.3 7.0 4 1  3.6 6.7 4 0
    2.3 4.4 6 1  4.2 7.6 4 0  4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1  3.0 4.7 8 0  4.5 7.4 5 1  3.7 7.4 5 1
    3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1  3.2 5.1 5 1  2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0
    3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1  3.5 6.2 5 1  2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1
    3.3 5.7 6 1  3.7 6.9 5 1  3.6 6.6 5 1
    """,
    sep=" ",
).reshape(-1, 4)
ALBUMIN, PROTEIN, SCORE, OUTCOME = OVARIAN[:, 0], OVARIAN[:, 1], 10 - OVARIAN[:, 2], OVARIAN[:, 3] == 1


@pytest.mark.parametrize(
    ("test", "area", "error", "low", "high"),
    [
        (ALBUMIN, 0.7366, 0.0927, 0.5549, 0.9182),
        (SCORE, 0.7258, 0.1028, 0.5243, 0.9273),
        (PROTEIN, 0.6478, 0.1000, 0.4518, 0.8439),
    ],
)
def test_areas_of_the_ovarian_cancer_example(
    test: np.ndarray, area: float, error: float, low: float, high: float
) -> None:
    found = delong(test, OUTCOME)
    assert (found.value, found.low, found.high) == pytest.approx((area, low, high), abs=5e-5)
    assert (found.high - found.low) / 2 / 1.959964 == pytest.approx(error, abs=5e-5)


@pytest.mark.parametrize(
    ("test", "difference", "low", "high", "p"),
    [(ALBUMIN, 0.0108, -0.1761, 0.1976, 0.9102), (PROTEIN, -0.0780, -0.2830, 0.1271, 0.4561)],
)
def test_differences_of_the_ovarian_cancer_example(
    test: np.ndarray, difference: float, low: float, high: float, p: float
) -> None:
    found = delong_difference(SCORE, test, OUTCOME)
    interval = found.difference
    assert (interval.value, interval.low, interval.high) == pytest.approx((difference, low, high), abs=5e-5)
    assert found.p_value == pytest.approx(p, abs=5e-5)


def _by_pairs(score: np.ndarray, positive: np.ndarray) -> tuple[float, float]:
    """Area and variance from every pair, as the paper defines the structural components."""
    up, down = score[positive], score[~positive]
    wins = np.array([[1.0 if x > y else 0.5 if x == y else 0.0 for y in down] for x in up])
    of_up, of_down = wins.mean(axis=1), wins.mean(axis=0)
    return float(wins.mean()), float(of_up.var(ddof=1) / len(up) + of_down.var(ddof=1) / len(down))


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=4, max_size=30).filter(
        lambda rows: 2 <= sum(yes for _, yes in rows) <= len(rows) - 2
    )
)
def test_ranks_give_what_all_pairs_give(rows: list[tuple[int, bool]]) -> None:
    score, positive = np.array([s for s, _ in rows], float), np.array([p for _, p in rows])
    area, variance = _by_pairs(score, positive)
    found = delong(score, positive, confidence=0.6826894921)
    assert found.value == pytest.approx(area) == pytest.approx(roc_auc_score(positive, score))
    assert found.low == pytest.approx(max(0.0, area - np.sqrt(variance)), abs=1e-6)
    # Neither a monotone transform nor the order of the patients matters; the other kind is the mirror image.
    turned, mirrored = (
        delong(np.exp(score[::-1]), positive[::-1], confidence=0.6826894921),
        delong(score, ~positive, confidence=0.6826894921),
    )
    assert (turned.value, turned.low, turned.high) == pytest.approx((found.value, found.low, found.high))
    assert (mirrored.value, mirrored.low) == pytest.approx((1 - found.value, 1 - found.high))


def test_one_case_of_a_kind_is_no_evidence() -> None:
    with pytest.raises(InsufficientEvidenceError, match="has 1 and 2"):
        delong([1, 2, 3], [True, False, False])
