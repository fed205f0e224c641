"""The table of imaging features."""

from __future__ import annotations

import pytest

from spine_fracture.anatomy import Diagnosis, Feature
from spine_fracture.errors import InputError
from spine_fracture.evaluation.cases.features import FeatureCase, Fourfold, feature_table, fisher_p


def test_cases_are_counted_by_side_of_the_question() -> None:
    cases = [
        *[FeatureCase(Diagnosis.MALIGNANT, frozenset({Feature.SOFT_TISSUE_MASS, Feature.CLEFT}))] * 6,
        *[FeatureCase(Diagnosis.MALIGNANT, frozenset())] * 2,
        *[FeatureCase(Diagnosis.BENIGN_FRACTURE, frozenset({Feature.CLEFT}))] * 3,
        *[FeatureCase(Diagnosis.BENIGN_FRACTURE, frozenset())] * 9,
        FeatureCase(Diagnosis.NORMAL, frozenset({Feature.CLEFT})),
    ]
    rows = {row.feature: row for row in feature_table(cases)}
    assert list(rows) == list(Feature)
    cleft, mass = rows[Feature.CLEFT], rows[Feature.SOFT_TISSUE_MASS]
    assert cleft.counts == Fourfold(6, 8, 3, 12)
    assert cleft.odds_ratio == pytest.approx(6 * 9 / (2 * 3))
    assert mass.odds_ratio is None  # no benign fracture has one
    assert mass.p_value < cleft.p_value < cleft.p_holm <= 1
    assert mass.p_holm == pytest.approx(15 * mass.p_value)
    assert rows[Feature.DARK_LINE].p_value == 1.0


def test_the_lady_tasting_tea() -> None:
    """Fisher 1935: 3 of 4 cups right by chance, one-sided 17/70, two-sided 34/70."""
    assert fisher_p(Fourfold(3, 4, 1, 4)) == pytest.approx(34 / 70)


def test_more_than_all_of_them_is_no_count() -> None:
    with pytest.raises(InputError, match="5 of 4"):
        Fourfold(5, 4, 0, 3)
