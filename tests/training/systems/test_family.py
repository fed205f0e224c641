"""What is asked of a system is checked when its configuration is."""

from __future__ import annotations

import pytest
from pydantic import JsonValue

from spine_fracture.errors import InputError
from spine_fracture.evaluation.answers import QUESTIONS
from spine_fracture.training.systems.families import load_system
from spine_fracture.training.systems.family import with_settings


@pytest.mark.parametrize(
    ("name", "only"),
    [
        ("yeh2022", "malignant_or_benign"),
        ("feature_regression", "malignant_or_benign"),
        ("chou_ap", "malignant_or_benign"),
        ("lumbar_pathology", "sick_or_healthy"),
        ("hemangioma", "metastasis_or_hemangioma"),
    ],
)
def test_a_family_with_one_question_refuses_another(name: str, only: str) -> None:
    config = load_system(name).config
    assert config.question == only
    with pytest.raises(InputError, match=f"cannot answer 'altered_or_normal': set `question` to {only}"):
        with_settings(config, {"question": "altered_or_normal"})


def test_a_family_of_all_classes_takes_any_question_that_there_is() -> None:
    for name in ("six_channel", "whole_study", "majority", "intensity_regression"):
        config = load_system(name).config
        for question in QUESTIONS:
            assert with_settings(config, {"question": question}).question == question
        with pytest.raises(InputError, match="no question 'malign': set `question` to"):
            with_settings(config, {"question": "malign"})


@pytest.mark.parametrize(
    ("key", "remedy"),
    [
        ("schedule.epoch", " Did you mean schedule.epochs?"),
        ("learning_rate", " Did you mean schedule.learning_rate?"),
        ("xyz", " It has name, "),
    ],
)
def test_a_setting_that_there_is_not_is_answered_with_the_nearest(key: str, remedy: str) -> None:
    with pytest.raises(InputError) as refused:
        with_settings(load_system("whole_study").config, {key: 1})
    assert str(refused.value).startswith(f"whole_study has no setting {key}.{remedy}")


@pytest.mark.parametrize(
    ("system", "key", "value"),
    [
        ("yeh2022", "schedule.epochs", 0),
        ("yeh2022", "schedule.patience", 0),
        ("yeh2022", "schedule.learning_rate", float("nan")),
        ("yeh2022", "network.slices", 0),
        ("yolo11", "schedule.steps", 0),
        ("whole_study", "network.heads", 3),
        ("lumbar_pathology", "joiner.leaves", 1),
        ("feature_regression", "penalty", 0),
        ("chou_ap", "network.members", []),
        ("chou_ap", "network.pictures.tiles", 0),
    ],
)
def test_numbers_that_nothing_can_be_trained_with_are_refused(
    system: str, key: str, value: JsonValue
) -> None:
    with pytest.raises(InputError, match=key.rsplit(".", 1)[-1]):
        with_settings(load_system(system).config, {key: value})
