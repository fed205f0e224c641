"""McNemar's test against the worked examples of statsmodels, and what counts without pairs allow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from spine_fracture.errors import InputError
from spine_fracture.evaluation.statistics.paired import (
    holm,
    kindest_pairing,
    mcnemar,
    mcnemar_of_counts,
)


@pytest.mark.parametrize(
    ("table", "exact", "corrected", "uncorrected"),
    [
        ([[101, 121], [59, 33]], 0.000004, 5.450095e-06, 3.815136e-06),
        ([[101, 70], [59, 33]], 0.378688, 0.3786151, 0.3327967),
        ([[101, 80], [59, 33]], 0.089452, 0.08981434, 0.07488031),
    ],
)
def test_paired_counts_of_statsmodels(
    table: list[list[int]], exact: float, corrected: float, uncorrected: float
) -> None:
    """Its own tests give these p values, by an online calculator (exact) and by R."""
    first = np.repeat([True, True, False, False], np.ravel(table))
    second = np.repeat([True, False, True, False], np.ravel(table))
    found = mcnemar(first, second)
    assert (found.only_first, found.only_second) == (table[0][1], table[1][0])
    assert found.p_exact == pytest.approx(exact, abs=5e-7)
    assert found.p_corrected == pytest.approx(corrected, rel=1e-6)
    assert found.p_uncorrected == pytest.approx(uncorrected, rel=1e-6)


def test_equal_answers_differ_by_chance_alone() -> None:
    found = mcnemar([True, False], [True, False])
    assert (found.p_exact, found.p_corrected, found.p_uncorrected) == (1.0, 1.0, 1.0)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 7).flatmap(lambda n: st.tuples(st.integers(0, n), st.integers(0, n), st.just(n))))
def test_no_pairing_of_two_counts_has_a_smaller_p(counts: tuple[int, int, int]) -> None:
    first, second, n = counts
    smallest = min(
        mcnemar_of_counts(first - both, second - both).smallest
        for both in range(max(0, first + second - n), min(first, second) + 1)
    )
    assert kindest_pairing(*counts).smallest == pytest.approx(smallest)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 40), st.integers(0, 40))
def test_the_other_way_round_is_the_same_test(one: int, other: int) -> None:
    there, back = kindest_pairing(one, other, 40), kindest_pairing(other, one, 40)
    assert (there.only_first, there.only_second) == (back.only_second, back.only_first)
    assert there.smallest == back.smallest


def test_more_right_than_there_are_is_refused() -> None:
    with pytest.raises(InputError, match="Of 50 cases, 51"):
        kindest_pairing(51, 3, 50)


def test_holm_by_hand_and_by_statsmodels() -> None:
    """Sorted 0.01, 0.03, 0.04: times 3, 2, 1, and never less than the one before."""
    assert holm([0.04, 0.01, 0.03]) == pytest.approx((0.06, 0.03, 0.06))
    assert holm([]) == ()
    p_values = np.random.default_rng(1).random(30) ** 3
    assert holm(p_values.tolist()) == pytest.approx(tuple(multipletests(p_values, method="holm")[1]))
