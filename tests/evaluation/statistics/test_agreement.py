"""Kappas against scikit-learn, statsmodels and examples of the textbooks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import aggregate_raters
from statsmodels.stats.inter_rater import fleiss_kappa as statsmodels_fleiss

from spine_fracture.errors import InputError
from spine_fracture.evaluation.statistics.agreement import cohen_kappa, fleiss_kappa
from spine_fracture.evaluation.statistics.intervals import Resampling

QUICK = Resampling(draws=200)
# Ten subjects, fourteen raters, five categories: raters a category (the usual example of Fleiss).
FOURTEEN_RATERS = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip


def test_cohens_kappa_by_hand() -> None:
    """Both yes 20, only one yes 5 and 10, both no 15: observed 0.7, by chance 0.5, kappa 0.4."""
    first = np.repeat([1, 1, 0, 0], [20, 5, 10, 15])
    second = np.repeat([1, 0, 1, 0], [20, 5, 10, 15])
    found = cohen_kappa(first, second, range(50), 2, resampling=QUICK)
    assert found.value == pytest.approx(0.4)
    assert found.low < 0.4 < found.high


def test_cohens_kappa_is_scikit_learns() -> None:
    rng = np.random.default_rng(1)
    first = rng.integers(0, 4, 80)
    second = np.where(rng.random(80) < 0.6, first, rng.integers(0, 4, 80))
    found = cohen_kappa(first, second, np.arange(80) // 2, 4, QUICK)
    assert found.value == pytest.approx(cohen_kappa_score(first, second))
    assert found.low < found.value < found.high


def test_fleiss_kappa_of_fourteen_raters() -> None:
    answers = [np.repeat(range(5), counts) for counts in FOURTEEN_RATERS]
    assert fleiss_kappa(answers, range(10), 5, QUICK).value == pytest.approx(0.210, abs=5e-4)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(*[st.integers(0, 2)] * 3), min_size=3, max_size=20).filter(lambda r: len(set(r)) > 1)
)
def test_fleiss_kappa_is_statsmodels(rows: list[tuple[int, int, int]]) -> None:
    if len({answer for row in rows for answer in row}) == 1:
        return
    expected = statsmodels_fleiss(aggregate_raters(np.array(rows), n_cat=3)[0])
    assert fleiss_kappa(rows, range(len(rows)), 3, QUICK).value == pytest.approx(expected)
    swapped = [row[::-1] for row in rows[::-1]]
    assert fleiss_kappa(swapped, range(len(rows)), 3, QUICK).value == pytest.approx(expected)


def test_one_reader_agrees_with_nobody() -> None:
    with pytest.raises(InputError, match="2 or more readers"):
        fleiss_kappa([[1], [0]], ["a", "b"], 2)
    with pytest.raises(InputError, match="same cases"):
        cohen_kappa([1, 0], [1], ["a", "b"], 2)
