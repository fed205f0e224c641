"""What every model has to beat: the majority class, and brightness alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.errors import InsufficientEvidenceError, ModelFileError
from spine_fracture.evaluation.answers import QUESTIONS, Answers, Part, is_positive
from spine_fracture.evaluation.statistics.metrics import auc
from spine_fracture.training.cohorts.study_cache import CachedStudy, StudyCache, StudyCacheWriter
from spine_fracture.training.systems.baselines import INTENSITY, MAJORITY, BaselineConfig
from spine_fracture.training.systems.brightness import mean_intensity
from spine_fracture.training.systems.families import load_system
from spine_fracture.training.systems.family import Family


def answered(family: Family, question: str, cohort: Path, out: Path) -> Answers:
    config = BaselineConfig(name=family.name, family=family.name, question=question)
    family.train(config, cohort, out, 1, lambda line: None)
    answers = family.answer(out, cohort).answers
    assert answers is not None and answers.question == question
    return answers


def area(answers: Answers) -> float | None:
    cases = answers.asked(Part.TEST)
    return auc(answers.scores(cases), is_positive(cases, QUESTIONS[answers.question]))


def test_brightness_tells_what_differs_in_brightness(small_cohort: Path, tmp_path: Path) -> None:
    # In the made-up cohort malignant levels are dark in T1 and hemangiomas bright.
    for number, question in enumerate(("malignant_or_benign", "metastasis_or_hemangioma")):
        separated = area(answered(INTENSITY, question, small_cohort, tmp_path / str(number)))
        assert separated is not None and separated > 0.95


def test_several_classes_at_once(small_cohort: Path, tmp_path: Path) -> None:
    answers = answered(INTENSITY, "altered_or_normal", small_cohort, tmp_path)
    labels = StudyCache(small_cohort / "studies").labels
    assert len(answers.cases) == 4 * sum(label.part is not None for label in labels)
    given = np.array([case.probabilities for case in answers.cases])
    np.testing.assert_allclose(given.sum(axis=1), 1, atol=1e-6)
    assert not given[:, answers.classes.index(Diagnosis.OTHER)].any()  # nobody has an infection
    right = [
        c.truth is answers.classes[int(row.argmax())] for c, row in zip(answers.cases, given, strict=True)
    ]
    assert np.mean(right) > 0.8  # half of the levels are normal


def test_the_majority_class_is_always_the_answer(small_cohort: Path, tmp_path: Path) -> None:
    answers = answered(MAJORITY, "altered_or_normal", small_cohort, tmp_path)
    normal = tuple(float(name is Diagnosis.NORMAL) for name in answers.classes)
    assert {case.probabilities for case in answers.cases} == {normal}
    assert area(answers) == 0.5


def test_the_mean_is_that_of_the_pixels_in_the_boxes(small_cohort: Path) -> None:
    study = StudyCache(small_cohort / "studies")[0]
    level = study.label.levels[2]
    assert level.level is Level.L3
    inside = study.pair()[:, :, 74:96, 16:46]  # where the made-up L3 is
    np.testing.assert_allclose(mean_intensity(study, level), inside.mean(axis=(0, 2, 3)), atol=1e-6)


def test_what_cannot_be_learnt_or_served_says_why(small_cohort: Path, tmp_path: Path) -> None:
    with StudyCacheWriter(tmp_path / "one" / "studies", "benign alone") as writer:
        for study in StudyCache(small_cohort / "studies"):
            if study.label.levels[1].diagnosis is Diagnosis.BENIGN_FRACTURE:
                writer.add(CachedStudy(study.label, study.pixels))
    with pytest.raises(InsufficientEvidenceError, match="All levels that teach are benign_fracture"):
        answered(INTENSITY, "malignant_or_benign", tmp_path / "one", tmp_path / "b")
    answered(MAJORITY, "malignant_or_benign", tmp_path / "one", tmp_path / "c")
    with pytest.raises(ModelFileError, match="is a majority"):
        INTENSITY.answer(tmp_path / "c", small_cohort)


@pytest.mark.parametrize("name", ["majority", "intensity_regression"])
def test_each_is_a_system_by_name(name: str) -> None:
    system = load_system(name)
    assert system.family.name == system.name == name
