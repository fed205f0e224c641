"""What is asked of a system is checked when its configuration is."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import JsonValue

from spine_fracture.bundle import Manifest
from spine_fracture.errors import InputError
from spine_fracture.evaluation.answers import QUESTIONS
from spine_fracture.training.systems.families import load_system
from spine_fracture.training.systems.family import trained_as, with_settings


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
        ("xyz", " It has question, "),
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
        ("yeh2022", "copies.malignant", -1),
        ("whole_study", "teaching.prevalence", [1, 1, 1, -1]),
        ("whole_study", "teaching.prevalence", [0, 0, 0, 0]),
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


def test_copies_of_neither_class_are_refused() -> None:
    config = load_system("yeh2022").config
    assert with_settings(config, {"copies.benign": 0})
    with pytest.raises(InputError, match="copies: benign and malignant are both 0"):
        with_settings(config, {"copies.benign": 0, "copies.malignant": 0})


@pytest.mark.parametrize("system", ["majority", "intensity_regression", "feature_regression"])
def test_what_is_fitted_in_one_go_takes_no_schedule(system: str) -> None:
    with pytest.raises(InputError, match=r"no setting schedule\.epochs"):
        with_settings(load_system(system).config, {"schedule.epochs": 3})


def test_a_file_that_is_no_text_is_no_system(tmp_path: Path) -> None:
    (tmp_path / "weights.yaml").write_bytes(bytes(range(128, 256)))
    with pytest.raises(InputError, match="cannot be read as YAML"):
        load_system(str(tmp_path / "weights.yaml"))


def test_a_model_of_another_versions_settings_is_named() -> None:
    config = load_system("majority").config
    manifest = Manifest(
        name="old", task="classification", family="majority", architecture={}, classes=(), seed=1,
        config=config.model_dump(mode="json") | {"laps": 3}, training_patients=(),
    )  # fmt: skip
    with pytest.raises(InputError, match=r"old.*laps"):
        trained_as(manifest, type(config))
