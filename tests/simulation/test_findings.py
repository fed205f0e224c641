"""Findings are drawn as often as in Yeh et al. 2022, and never with features that exclude each other."""

from __future__ import annotations

import numpy as np
import pytest

from spine_fracture.anatomy import COLLAPSE_FEATURES, Diagnosis, Feature, contradiction
from spine_fracture.simulation.findings import (
    NOT_ON_ONE_SLICE,
    NULL_FINDING,
    PATTERNS,
    PREVALENCE,
    PRIMARIES,
    draw_finding,
    draw_variant,
)

DRAWS = 4000
FRACTURES = (Diagnosis.BENIGN_FRACTURE, Diagnosis.MALIGNANT)


@pytest.mark.parametrize("diagnosis", FRACTURES)
def test_features_are_as_frequent_as_in_the_table(diagnosis: Diagnosis) -> None:
    rng = np.random.default_rng(1)
    drawn = [draw_finding(diagnosis, rng).features for _ in range(DRAWS)]
    for feature, wanted in PREVALENCE[diagnosis].items():
        share = np.mean([feature in features for features in drawn])
        assert abs(share - wanted) < 4 * np.sqrt(max(wanted * (1 - wanted), 1e-4) / DRAWS) + 1e-3, feature


@pytest.mark.parametrize("diagnosis", FRACTURES)
def test_excluded_combinations_never_occur(diagnosis: Diagnosis) -> None:
    rng = np.random.default_rng(2)
    for _ in range(DRAWS):
        features = draw_finding(diagnosis, rng).features
        assert contradiction(features) is None
        assert bool(features & COLLAPSE_FEATURES) != (Feature.NO_COLLAPSE in features)


@pytest.mark.parametrize("diagnosis", FRACTURES)
def test_one_slice_shows_nothing_lateral_and_no_other_vertebra(diagnosis: Diagnosis) -> None:
    rng = np.random.default_rng(3)
    for _ in range(500):
        assert not draw_finding(diagnosis, rng, single_slice=True).features & NOT_ON_ONE_SLICE


def test_a_tumour_shows_a_pattern_of_its_primary() -> None:
    rng = np.random.default_rng(4)
    for primary in PRIMARIES:
        seen = {draw_finding(Diagnosis.MALIGNANT, rng, primary=primary).pattern for _ in range(200)}
        assert seen == {pattern for pattern, _ in PATTERNS[primary]}
    assert draw_finding(Diagnosis.BENIGN_FRACTURE, rng).primary is None


def test_the_same_generator_draws_the_same_finding() -> None:
    for diagnosis in Diagnosis:
        if diagnosis is Diagnosis.INDETERMINATE:
            continue
        first = draw_finding(diagnosis, np.random.default_rng(5))
        assert first == draw_finding(diagnosis, np.random.default_rng(5))
        assert first.diagnosis is diagnosis


def test_normal_is_the_null_finding_and_variants_stay_normal() -> None:
    assert draw_finding(Diagnosis.NORMAL, np.random.default_rng(0)) is NULL_FINDING
    assert not NULL_FINDING.deforms
    variant = draw_variant(np.random.default_rng(0))
    assert variant.diagnosis is Diagnosis.NORMAL
    assert not variant.features
