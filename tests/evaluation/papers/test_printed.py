"""The printed figures of Yeh et al. 2022 worked out again."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from spine_fracture.anatomy import Feature
from spine_fracture.evaluation.cases.readers import Measure
from spine_fracture.evaluation.papers.printed import (
    Paper,
    PrintedFeature,
    bears_out,
    check_comparisons,
    check_features,
    load_paper,
)
from spine_fracture.evaluation.statistics.paired import kindest_pairing


@pytest.fixture(scope="module")
def yeh() -> Paper:
    return load_paper("yeh2022")


def test_fishers_test_reproduces_thirteen_of_the_fifteen_printed_p_values(yeh: Paper) -> None:
    checks = {check.feature: check for check in check_features(yeh)}
    assert list(checks) == list(Feature)
    wrong = {feature: check for feature, check in checks.items() if not check.agrees}
    assert set(wrong) == {Feature.CLEFT, Feature.BORDER_PROTRUSION}
    assert wrong[Feature.CLEFT].printed == "0.045"
    assert wrong[Feature.CLEFT].computed == pytest.approx(0.449, abs=5e-4)
    assert wrong[Feature.BORDER_PROTRUSION].printed == "0.07"
    assert wrong[Feature.BORDER_PROTRUSION].computed == pytest.approx(0.006, abs=5e-4)


def test_the_readers_counts_are_those_of_the_cohort(yeh: Paper) -> None:
    for reader in yeh.readers:
        assert reader.true_positive + reader.false_negative == yeh.positives
        assert reader.true_negative + reader.false_positive == yeh.negatives
    right = [reader.right(Measure.ACCURACY) for reader in yeh.readers]
    assert right == [(186, 190), (182, 190), (125, 190), (175, 190)]


def test_printed_comparisons_that_no_pairing_allows(yeh: Paper) -> None:
    """78 against 94 % of 50 and 91 against 96 % of 140 cannot give p < 0.001; the others can."""
    checks = check_comparisons(yeh)
    assert len(checks) == 18 and sum(check.printed is not None for check in checks) == 8
    contradicted = {(c.measure, frozenset((c.first, c.second))) for c in checks if c.contradicted}
    assert contradicted == {
        (Measure.SENSITIVITY, frozenset(("resident R1", "MSK radiologist"))),
        (Measure.SENSITIVITY, frozenset(("resident R1", "resident R4"))),
        (Measure.SENSITIVITY, frozenset(("resident R1", "ResNet50"))),
        (Measure.SPECIFICITY, frozenset(("ResNet50", "resident R4"))),
    }
    assert kindest_pairing(39, 47, 50).smallest == pytest.approx(0.00468, abs=5e-6)
    assert kindest_pairing(128, 135, 140).smallest == pytest.approx(0.00815, abs=5e-6)


def test_accuracy_pairs_positives_with_positives() -> None:
    """One better by 4 in sensitivity, the other by 4 in specificity: as many right, yet 8 pairs differ."""
    paper = Paper.model_validate(
        {
            "name": "made-up",
            "title": "",
            "source": "",
            "data": "",
            "tables": [],
            "positives": 10,
            "negatives": 10,
            "readers": [
                {"name": n, "true_positive": p, "true_negative": 14 - p, "false_negative": 10 - p,
                 "false_positive": p - 4}
                for n, p in (("a", 9), ("b", 5))
            ],
        }
    )  # fmt: skip
    check = check_comparisons(paper)[-1]
    assert (check.measure, check.right) == (Measure.ACCURACY, (14, 14))
    assert (check.kindest.only_first, check.kindest.only_second) == (4, 4)


@pytest.mark.parametrize(
    ("printed", "computed", "same"),
    [
        ("<0.001", 0.00099, True),
        ("<0.001", 0.001, False),
        ("0.18", 0.1826, True),
        ("0.18", 0.186, False),
        ("0.001", 0.00108, True),
        ("1", 0.96, True),
    ],
)
def test_a_printed_p_is_compared_at_its_own_digits(printed: str, computed: float, same: bool) -> None:
    assert bears_out(printed, computed) is same


@pytest.mark.parametrize("text", ["1.2", "p=0.1", "<", "-0.1"])
def test_what_is_no_p_value_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        PrintedFeature(feature=Feature.CLEFT, positive=1, negative=1, p=text)
