"""The regression on 15 features: its odds, what it refuses, and its way through a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from spine_fracture.anatomy import Diagnosis, Feature, Level
from spine_fracture.classification.feature_regression import CLASSES, FeatureRegression
from spine_fracture.cohort.splits import Split
from spine_fracture.errors import InputError, InsufficientEvidenceError, ModelFileError
from spine_fracture.imaging import Sequence as MrSequence
from spine_fracture.training.cohorts.study_cache import CachedStudy, LevelLabel, StudyCacheWriter, StudyLabel
from spine_fracture.training.systems.families import load_system
from spine_fracture.training.systems.feature_regression import FAMILY


def cohort(folder: Path, *, benign: bool = True, index: Sequence[Diagnosis] = CLASSES) -> Path:
    """Malignant vertebrae have a mass, benign ones a dark line, and one of eleven the other's; those of the
    classes of ``index`` are index vertebrae.
    """
    with StudyCacheWriter(folder / "studies", "features") as writer:
        for number in range(60):
            malignant = number % 2 == 0 or not benign
            told = malignant if number % 11 else not malignant
            split = (Split.TRAIN, Split.TRAIN, Split.TRAIN, Split.VALIDATION, Split.TEST)[number // 2 % 5]
            level = LevelLabel(
                level=Level.L1,
                diagnosis=Diagnosis.MALIGNANT if malignant else Diagnosis.BENIGN_FRACTURE,
                features=(Feature.SOFT_TISSUE_MASS,) if told else (Feature.DARK_LINE,),
                slices=(0,),
                boxes=((1.0, 1.0, 5.0, 5.0),),
                shown=(True,),
            )
            other = level.model_copy(update={"level": Level.L2, "features": ()})
            label = StudyLabel(
                patient=f"p{number}", centre="A", split=split, source="phantom",
                sequences=(MrSequence.T1, MrSequence.T2), levels=(level, other),
                index_level=Level.L1 if level.diagnosis in index else None,
            )  # fmt: skip
            writer.add(CachedStudy(label, np.zeros((1, 4, 8, 8), np.uint8)))
    return folder


def test_what_one_class_shows_raises_its_odds(tmp_path: Path) -> None:
    folder, out = cohort(tmp_path / "cohort"), tmp_path / "out"
    config = load_system("feature_regression").config
    FAMILY.train(config, folder, out, 1, lambda line: None)
    model = FeatureRegression.load(out)
    mass, line, nothing = model.malignancy([{Feature.SOFT_TISSUE_MASS}, {Feature.DARK_LINE}, set()])
    assert mass > 0.75 > nothing > 0.25 > line
    assert model.weights[list(Feature).index(Feature.CLEFT)] == 0  # nobody showed it


def test_the_index_vertebra_alone_is_answered_for(tmp_path: Path) -> None:
    folder, out = cohort(tmp_path / "cohort"), tmp_path / "out"
    FAMILY.train(load_system("feature_regression").config, folder, out, 1, lambda line: None)
    answers = FAMILY.answer(out, folder).answers
    assert answers is not None
    assert {case.level for case in answers.cases} == {Level.L1}
    assert len(answers.cases) == 24  # two fifths of sixty patients do not teach


def test_one_class_alone_teaches_nothing(tmp_path: Path) -> None:
    folder = cohort(tmp_path / "cohort", benign=False)
    with pytest.raises(InsufficientEvidenceError, match="benign"):
        FAMILY.train(load_system("feature_regression").config, folder, tmp_path / "out", 1, lambda line: None)


@pytest.mark.parametrize(
    ("index", "remedy"),
    [((), "take a cohort that `spine-fracture cohort cache`"), (CLASSES[:1], "of the class that is missing")],
)
def test_without_index_vertebrae_of_both_classes_it_says_what_helps(
    tmp_path: Path, index: Sequence[Diagnosis], remedy: str
) -> None:
    folder = cohort(tmp_path / "cohort", index=index)
    with pytest.raises(InsufficientEvidenceError, match=f"both benign and malignant index.*{remedy}"):
        FAMILY.train(load_system("feature_regression").config, folder, tmp_path / "out", 1, lambda line: None)


def test_features_that_exclude_each_other_are_refused(tmp_path: Path) -> None:
    folder, out = cohort(tmp_path / "cohort"), tmp_path / "out"
    FAMILY.train(load_system("feature_regression").config, folder, out, 1, lambda line: None)
    with pytest.raises(InputError, match="cannot be seen together"):
        FeatureRegression.load(out).malignancy([{Feature.NO_COLLAPSE, Feature.ANTERIOR_WEDGE}])


def test_another_model_is_no_regression(tmp_path: Path) -> None:
    folder, out = cohort(tmp_path / "cohort"), tmp_path / "out"
    system = load_system("majority")
    system.family.train(system.config, folder, out, 1, lambda line: None)
    with pytest.raises(ModelFileError, match="majority"):
        FeatureRegression.load(out)
