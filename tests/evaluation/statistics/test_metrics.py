"""Metrics agree with scikit-learn and with hand-made cases."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from spine_fracture.errors import InputError
from spine_fracture.evaluation.statistics.metrics import auc, class_scores, confusion, macro_f1

ANSWERS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)


@given(ANSWERS)
def test_macro_f1_is_scikit_learns_over_the_classes_of_the_truth(pairs: list[tuple[int, int]]) -> None:
    truth, answer = map(list, zip(*pairs, strict=True))
    expected = f1_score(truth, answer, labels=sorted(set(truth)), average="macro", zero_division=0)
    assert macro_f1(confusion(truth, answer, 4)) == pytest.approx(expected)


def test_macro_f1_takes_a_stack_of_matrices() -> None:
    perfect, nothing = np.diag([3, 2]), np.array([[0, 3], [2, 0]])
    assert macro_f1(np.stack([perfect, nothing])).tolist() == [1.0, 0.0]
    assert np.isnan(macro_f1(np.zeros((2, 2))))


def test_class_scores_by_hand() -> None:
    # Truth a: 3 right, 1 called b. Truth b: 1 right, 1 called a.
    first, _, absent = class_scores([[3, 1, 0], [1, 1, 0], [0, 0, 0]], ("a", "b", "c"))
    assert (first.levels, first.sensitivity, first.specificity) == (4, 0.75, 0.5)
    assert (first.precision, first.f1) == (0.75, 0.75)
    assert absent.sensitivity is None and absent.f1 is None and absent.specificity == 1.0


def test_auc_counts_ties_as_half_and_needs_both_kinds() -> None:
    assert auc([0.1, 0.9, 0.9], [False, True, False]) == pytest.approx(0.75)
    assert auc([0.1, 0.2], [True, True]) is None


def test_lists_of_different_length_are_refused() -> None:
    with pytest.raises(InputError):
        confusion([0, 1], [0], 2)
    with pytest.raises(InputError):
        confusion([0, 4], [0, 1], 4)
