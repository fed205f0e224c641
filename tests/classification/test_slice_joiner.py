"""What is told of the slices of a vertebra, and trees as text."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spine_fracture.classification.slice_joiner import (
    FEATURES,
    JoinerConfig,
    LevelFeatures,
    SliceEvidence,
    SliceJoiner,
    level_features,
)
from spine_fracture.errors import ModelFileError
from spine_fracture.geometry import PixelBox

BOX = PixelBox(20, 10, 60, 40)


def level(probabilities: list[float], box: PixelBox = BOX, confidence: float = 1.0) -> list[SliceEvidence]:
    return [SliceEvidence(at, box, p, confidence) for at, p in enumerate(probabilities)]


def made_up(count: int, seed: int) -> tuple[list[LevelFeatures], np.ndarray]:
    """Levels with one to three sick slices in the middle of five, and healthy ones with a false alarm at an
    end: the highest slice alone does not tell them apart.
    """
    rng = np.random.default_rng(seed)
    features, sick = [], rng.random(count) < 0.4
    for one in sick:
        chances = rng.uniform(0.05, 0.3, 5)
        if one:
            chances[1:4] += rng.uniform(0.3, 0.6)
        else:
            chances[rng.choice([0, 4])] += 0.6
        features += level_features([level(chances.tolist())], 100, 80)
    return features, sick


def test_profile_along_the_slices() -> None:
    (one,) = level_features([level([0.1, 0.6, 0.9, 0.7, 0.2])], 100, 80)
    assert one.highest == 0.9 and one.middle == 0.9 and one.lowest == 0.1 and one.edge == 0.2
    assert one.mean == pytest.approx(0.5) and one.top_three == pytest.approx(2.2 / 3)
    assert (one.slices, one.sick, one.run, one.peak) == (5, 0.6, 3, 0.5)
    assert one.centroid == pytest.approx(0.53) and 0 < one.spread < 0.5
    (broken,) = level_features([level([0.9, 0.1, 0.9, 0.1])], 100, 80)
    assert broken.run == 1 and broken.sick == 0.5
    (single,) = level_features([level([0.4])], 100, 80)
    assert (single.deviation, single.spread, single.peak) == (0, 0, 0.5)


def test_size_and_place_are_told_within_the_study() -> None:
    low = PixelBox(20, 60, 60, 75)
    given = [level([0.1, 0.1], low), level([0.1, 0.1, 0.1, 0.1], confidence=0.8)]
    flat, tall = level_features(given, 100, 80)
    assert (flat.rank, tall.rank, flat.levels) == (1, 0, 2)
    assert (flat.above, flat.below, tall.below) == (0.5, 1.0, 2.0)
    assert flat.flatness == 15 / 40 and tall.volume > flat.volume
    assert (tall.down, tall.back) == (0.25, 0.5)
    assert (flat.confidence, tall.least_confidence) == (1.0, 0.8)
    enlarged = [[dataclasses.replace(one, box=one.box.scaled(2, 2)) for one in boxes] for boxes in given]
    assert level_features(enlarged, 200, 160) == (flat, tall)
    assert level_features([], 100, 80) == ()


def test_trees_join_slices_better_than_the_highest_slice() -> None:
    features, sick = made_up(200, 0)
    joiner = SliceJoiner.fit(features, sick, JoinerConfig(trees=40), seed=1)
    unseen, truth = made_up(200, 1)
    assert ((joiner.logits(unseen) > 0) == truth).mean() > 0.9
    assert (np.array([one.highest >= 0.5 for one in unseen]) == truth).mean() < 0.7


def test_trees_come_back_from_their_text_and_are_seeded() -> None:
    features, sick = made_up(80, 0)
    first, again, other = (
        SliceJoiner.fit(features, sick, JoinerConfig(trees=10), seed=seed) for seed in (1, 1, 2)
    )
    assert first.to_text() == again.to_text() != other.to_text()
    back = SliceJoiner.from_text(first.to_text())
    np.testing.assert_array_equal(back.logits(features), first.logits(features))
    assert back.to_text() == first.to_text()
    assert back.logits([]).shape == (0,)


def test_text_of_other_trees_is_refused() -> None:
    features, sick = made_up(80, 0)
    text = SliceJoiner.fit(features, sick, JoinerConfig(trees=2), seed=1).to_text()
    with pytest.raises(ModelFileError, match="other features"):
        SliceJoiner.from_text(text.replace(FEATURES[0], "summit"))
    with pytest.raises(ModelFileError, match="cannot be read"):
        SliceJoiner.from_text("no trees")
