"""Not worse than another, and a gain that shrinks."""

from __future__ import annotations

import numpy as np
import pytest

from spine_fracture.evaluation.non_inferiority import MARGIN, change, is_not_worse
from spine_fracture.evaluation.statistics import Estimate


def test_not_worse_needs_the_whole_interval_within_the_margin() -> None:
    difference = Estimate(0.01, -0.04, 0.06, 0.95)
    assert is_not_worse(difference, 0.05) and not is_not_worse(difference, 0.03)
    assert is_not_worse(difference) is is_not_worse(difference, MARGIN)


def test_a_change_between_cohorts_has_the_variances_of_both() -> None:
    """Of symmetric intervals it is the one of a difference of two independent normal figures."""
    before, after = Estimate(0.10, 0.07, 0.13, 0.95), Estimate(0.02, -0.02, 0.06, 0.95)
    found = change(before, after)
    assert found.value == pytest.approx(-0.08)
    assert (found.low, found.high) == pytest.approx((-0.08 - 0.05, -0.08 + 0.05))


def test_the_limits_of_a_change_come_from_opposite_sides() -> None:
    before, after = Estimate(0.1, 0.1, 0.4, 0.95), Estimate(0.0, 0.0, 0.4, 0.95)
    found = change(before, after)
    assert found.low == pytest.approx(-0.1 - 0.3) and found.high == pytest.approx(-0.1 + 0.4)
    assert np.isclose(change(after, before).value, 0.1)
