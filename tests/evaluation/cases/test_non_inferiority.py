"""Not worse than another, and a gain that shrinks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from made_up import answers_of, case

from spine_fracture.anatomy import Level
from spine_fracture.evaluation.answers import Part
from spine_fracture.evaluation.cases.non_inferiority import MARGIN, Matched, change, is_not_worse
from spine_fracture.evaluation.cases.scores import Unit, unit_scores
from spine_fracture.evaluation.statistics.intervals import Estimate, Resampling
from spine_fracture.evaluation.statistics.metrics import auc

HOW = Resampling(draws=1000)


def test_not_worse_needs_the_whole_interval_within_the_margin() -> None:
    difference = Estimate(0.01, -0.04, 0.06, 0.95)
    assert is_not_worse(difference, 0.05) and not is_not_worse(difference, 0.03)
    assert is_not_worse(difference) is is_not_worse(difference, MARGIN)


def cohort(patients: Sequence[str], skill: float, seed: int) -> Matched:
    """A model that knows nothing and one of this ``skill``, about one level each of patients of whom every
    second has a metastasis. What makes a patient hard is the patient's, whatever the cohort.
    """
    scores = []
    for own in (0.0, skill):
        cases = []
        for at, patient in enumerate(patients):
            hardness = np.random.default_rng([*patient.encode(), round(10 * own)]).normal()
            noise = np.random.default_rng([seed, at, round(10 * own)]).normal()
            logit = own * (at % 2) + hardness + 0.2 * noise
            cases.append(case(patient, Level.L1, float(1 / (1 + np.exp(-logit))), at % 2 == 1))
        scores.append(unit_scores(answers_of(cases), Part.TEST, Unit.LEVEL))
    return Matched(*scores)


def width(found: Estimate) -> float:
    return found.high - found.low


def named(first: str, count: int) -> list[str]:
    return [f"{first}{number:03d}" for number in range(count)]


def test_a_change_is_the_difference_of_two_gains() -> None:
    before, after = cohort(named("a", 80), 2.0, 1), cohort(named("b", 60), 1.0, 2)

    def gain(pair: Matched) -> float:
        weaker, stronger = (auc(s.score, s.positive) for s in (pair.weaker, pair.stronger))
        assert weaker is not None and stronger is not None
        return stronger - weaker

    found = change(before, after, HOW)
    assert found.value == pytest.approx(gain(after) - gain(before)) and found.low < found.value < found.high
    assert change(after, before, HOW).value == pytest.approx(-found.value)


def test_patients_of_both_cohorts_are_drawn_for_both() -> None:
    """The same answers to the same patients change in no draw; those to others vary as two samples do."""
    first = cohort(named("a", 80), 1.0, 1)
    same, others = change(first, first, HOW), change(first, cohort(named("b", 80), 1.0, 2), HOW)
    assert (same.value, same.low, same.high) == (0, 0, 0)
    anew = change(first, cohort(named("a", 80), 1.0, 2), HOW)
    assert 0 < width(anew) < 0.6 * width(others)
    half = change(first, cohort([*named("a", 40), *named("b", 40)], 1.0, 2), HOW)
    assert width(anew) < width(half) < width(others)


def test_patients_of_one_cohort_alone_vary_for_themselves() -> None:
    """Of cohorts without a common patient the variance is the sum of those of the two gains."""
    one, other = cohort(named("a", 100), 1.0, 1), cohort(named("b", 100), 1.0, 2)
    certain = Matched(one.weaker, one.weaker)  # gains nothing in any draw
    alone = [width(change(certain, one, HOW)), width(change(certain, other, HOW))]
    assert width(change(one, other, HOW)) == pytest.approx(np.hypot(*alone), rel=0.1)
