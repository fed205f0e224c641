"""Scores of named boxes: perfect, renamed, shifted and missing predictions move the right numbers."""

import pytest

from spine_fracture.anatomy import Level
from spine_fracture.errors import InputError
from spine_fracture.evaluation.detection.naming import NamedBox, PictureBoxes, picture_answers, score_pictures
from spine_fracture.evaluation.detection.paired import paired_precision
from spine_fracture.geometry import PixelBox

LEVELS = (Level.L1, Level.L2, Level.L3, Level.L4, Level.L5, Level.S1)


def boxes(dx=0.0, levels=LEVELS):
    return tuple(
        NamedBox(n, PixelBox(10 + dx, 50.0 * k, 50 + dx, 50.0 * k + 40)) for k, n in enumerate(levels)
    )


def test_perfect_boxes_score_one_everywhere():
    scores = score_pictures([PictureBoxes("a", boxes(), boxes()), PictureBoxes("b", boxes(), boxes())])
    assert scores.map50_95 == pytest.approx(1)
    assert (scores.precision, scores.recall, scores.f1, scores.all_levels_correct) == (1, 1, 1, 1)
    assert scores.pictures == 2


def test_names_off_by_one_are_all_wrong_although_boxes_fit():
    renamed = boxes(levels=(Level.T12, *LEVELS[:5]))
    scores = score_pictures([PictureBoxes("a", renamed, boxes())])
    assert scores.map50 == 0
    assert scores.all_levels_correct == 0


def test_shift_lowers_only_the_strict_average():
    # 4 of 40 pixels: IoU 36/44 = 0.82, so found at 0.50 to 0.80 and at none of 0.85 to 0.95
    scores = score_pictures([PictureBoxes("a", boxes(dx=4), boxes())])
    assert scores.map50 == pytest.approx(1)
    assert scores.map50_95 == pytest.approx(0.7)
    assert scores.f1 == 1


def test_one_missing_level_spoils_the_picture():
    pictures = [PictureBoxes("a", boxes()[:-1], boxes()), PictureBoxes("b", boxes(), boxes())]
    scores = score_pictures(pictures)
    assert scores.all_levels_correct == 0.5
    assert scores.recall == pytest.approx(11 / 12)
    assert scores.precision == 1


def test_levels_that_no_reference_names_are_not_held_against_the_prediction():
    extra = (*boxes(), NamedBox(Level.T12, PixelBox(0, 400, 40, 440), 0.9))
    assert score_pictures([PictureBoxes("a", extra, boxes())]).precision == 1


def test_boxes_in_a_picture_without_a_reference_are_not_held_against_the_prediction():
    scores = score_pictures([PictureBoxes("a", boxes(), boxes()), PictureBoxes("b", boxes(), ())])
    assert (scores.precision, scores.f1, scores.map50, scores.pictures) == (1, 1, pytest.approx(1), 1)


def test_nothing_to_score_is_said():
    with pytest.raises(InputError, match="nothing to score"):
        score_pictures([PictureBoxes("a", boxes(), ())])


def test_pictures_are_compared_each_as_a_patient():
    shifted, right = ([PictureBoxes(f"p{k}", boxes(dx), boxes()) for k in range(3)] for dx in (4, 0))
    (gain,) = paired_precision({"shifted": picture_answers(shifted), "right": picture_answers(right)})
    assert (gain.difference.patients, gain.difference.difference.value) == (3, pytest.approx(0.3))
