"""The family of Yeh et al. 2022: what it learns from, a short training, its answers, its configurations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.bundle import read_manifest
from spine_fracture.classification.classifier import LevelClassifier
from spine_fracture.classification.yeh2022 import CLASSES, FractureConfig, standardised, vertebra_crops
from spine_fracture.configuration import load_config
from spine_fracture.errors import InsufficientEvidenceError, ModelFileError
from spine_fracture.evaluation.answers import Answers, Part
from spine_fracture.imaging import Sequence as MrSequence
from spine_fracture.training.cohorts.study_cache import CachedStudy, StudyCache, StudyCacheWriter
from spine_fracture.training.learning.schedule import Schedule
from spine_fracture.training.systems.family import EpochLine
from spine_fracture.training.systems.yeh2022 import (
    FAMILY,
    Affine,
    FractureTraining,
    lesion_slices,
    slice_task,
)

TINY = FractureTraining(
    name="tiny",
    family="yeh2022",
    question="malignant_or_benign",
    network=FractureConfig(trunk="resnet10", size=32),
    schedule=Schedule(
        epochs=2, steps=12, batch=8, optimiser="adam", learning_rate=1e-3, beta1=0.5, warm_up=0, final=1,
        averaging=0,
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def trained(small_cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("yeh2022")
    told: list[str | EpochLine] = []
    done = FAMILY.train(TINY, small_cohort, out, 3, told.append)
    assert len(told) == done.cost.epochs == 2
    assert done.cost.pictures == 2 * 12 * 8
    return out


@pytest.fixture(scope="module")
def answers(trained: Path, small_cohort: Path) -> Answers:
    judged = FAMILY.answer(trained, small_cohort).answers
    assert judged is not None
    return judged


def test_studies_without_one_of_both_sequences_are_left_out(small_cohort: Path, tmp_path: Path) -> None:
    studies = StudyCache(small_cohort / "studies")
    whole = lesion_slices(studies, None, 32)
    lone = [
        label.model_copy(update={"sequences": (MrSequence.T2,)})
        if label.patient in whole.patients[:1]
        else label
        for label in studies.labels
    ]
    studies.relabel(tmp_path / "studies", "lone", lone)
    left = lesion_slices(StudyCache(tmp_path / "studies"), None, 32)
    assert set(whole.patients) - set(left.patients) == set(whole.patients[:1])


def test_one_vertebra_a_patient_teaches_and_only_of_patients_who_teach(small_cohort: Path) -> None:
    studies = StudyCache(small_cohort / "studies")
    teaching = lesion_slices(studies, None, 32)
    assert set(teaching.patients) == {label.patient for label in studies.labels if label.part is None}
    # Of slices 1 and 2, which hold the lesion, none has two neighbours that do: both are read.
    assert len(teaching) == 2 * len(set(teaching.patients))
    assert teaching.crops.shape[1:] == (6, 64, 64)
    truth = {label.patient: label.levels[1].diagnosis is CLASSES[1] for label in studies.labels}
    assert teaching.malignant.tolist() == [truth[patient] for patient in teaching.patients]


def test_unchanged_the_network_learns_from_what_it_is_asked_about(small_cohort: Path) -> None:
    studies = StudyCache(small_cohort / "studies")
    study = next(study for study in studies if study.label.part is None)
    index = next(level for level in study.label.levels if level.level is Level.L2)
    served = standardised(torch.from_numpy(vertebra_crops(study.pair(), index.on_slices()[1:3], 32)))
    still = TINY.model_copy(update={"augmentation": Affine(shift=0, scale=0, turn=0)})
    task = slice_task(still, small_cohort, 1)
    crops = lesion_slices(studies, None, 32).crops[:2]
    learnt = task._patches(crops, np.array([[1, 0, 0, 0]] * 2, np.float32), torch.device("cpu"))
    torch.testing.assert_close(learnt, served, atol=0.05, rtol=0)  # stored in 256 greys


def test_malignant_slices_are_drawn_as_often_as_their_copies_are_many(small_cohort: Path) -> None:
    task = slice_task(TINY, small_cohort, 1)
    teaching = lesion_slices(StudyCache(small_cohort / "studies"), None, 32)
    malignant = teaching.malignant.sum()
    expected = 40 * malignant / (40 * malignant + 20 * (len(teaching) - malignant))
    batch = task.batch(np.random.default_rng(0), 4000)
    assert batch.malignant.mean() == pytest.approx(expected, abs=0.03)
    reach = np.abs(batch.affine - (1, 0, 0, 0)).max(axis=0)
    np.testing.assert_allclose(reach, (0.1, 0.1, 0.1, np.radians(15)), rtol=0.02)


def test_after_two_epochs_it_answers_by_level_and_by_patient(answers: Answers, small_cohort: Path) -> None:
    assert answers.classes == CLASSES and answers.question == "malignant_or_benign"
    labels = StudyCache(small_cohort / "studies").labels
    judged = [label for label in labels if label.part is not None]
    assert {(case.patient, case.level) for case in answers.cases} == {
        (label.patient, level) for label in judged for level in (Level.L2, None)
    }
    assert {case.part for case in answers.cases} == set(Part)
    by_patient = {case.patient: case for case in answers.cases if case.level is None}
    for case in answers.cases:
        assert sum(case.probabilities) == pytest.approx(1)
        assert case.probabilities == by_patient[case.patient].probabilities
        assert case.truth == by_patient[case.patient].truth
        assert case.note == ("lung" if case.truth is Diagnosis.MALIGNANT else "")
    malignant = [c.probabilities[1] for c in answers.cases if c.truth is Diagnosis.MALIGNANT]
    benign = [c.probabilities[1] for c in answers.cases if c.truth is Diagnosis.BENIGN_FRACTURE]
    assert np.mean(malignant) > np.mean(benign) + 0.1


def test_the_bundle_says_what_it_is_and_no_other_family_takes_it(trained: Path, small_cohort: Path) -> None:
    manifest = read_manifest(trained)
    assert (manifest.family, manifest.classes, manifest.seed) == ("yeh2022", CLASSES, 3)
    labels = StudyCache(small_cohort / "studies").labels
    test_patients = {label.patient for label in labels if label.part in (Part.TEST, Part.EXTERNAL)}
    assert manifest.training_patients and not test_patients & set(manifest.training_patients)
    assert FractureTraining.model_validate(manifest.config) == TINY
    with pytest.raises(ModelFileError):
        LevelClassifier.load(trained, "torch")


def test_one_class_alone_is_refused_in_words(small_cohort: Path, tmp_path: Path) -> None:
    with StudyCacheWriter(tmp_path / "studies", "one-sided") as writer:
        for study in StudyCache(small_cohort / "studies"):
            if study.label.levels[1].diagnosis is Diagnosis.BENIGN_FRACTURE:
                writer.add(CachedStudy(study.label, study.pixels))
    with pytest.raises(InsufficientEvidenceError, match=r"not both.*of the class that is missing"):
        slice_task(TINY, tmp_path, 1)


def test_without_index_vertebrae_it_says_which_cohorts_have_some(small_cohort: Path, tmp_path: Path) -> None:
    studies = StudyCache(small_cohort / "studies")
    none = [label.model_copy(update={"index_level": None}) for label in studies.labels]
    studies.relabel(tmp_path / "studies", "annotated", none)
    with pytest.raises(InsufficientEvidenceError, match="take a cohort that `spine-fracture cohort cache`"):
        slice_task(TINY, tmp_path, 1)


def test_the_paper_is_one_configuration_and_its_trunks_one_line() -> None:
    paper = load_config("classifiers/yeh2022", FractureTraining)
    assert (paper.network.trunk, paper.network.size) == ("resnet50", 64)
    assert (paper.copies.benign, paper.copies.malignant) == (20, 40)
    schedule = paper.schedule
    assert (schedule.optimiser, schedule.learning_rate, schedule.beta1) == ("adam", 1e-4, 0.5)
    assert (schedule.batch, schedule.epochs, schedule.warm_up, schedule.final) == (32, 100, 0, 1)
    for trunk in ("resnet18", "resnet34", "resnet101"):
        other = load_config(f"classifiers/yeh2022_{trunk}", FractureTraining)
        assert other.network.trunk == trunk
        same = {"name": paper.name, "network": paper.network}
        assert other.model_copy(update=same) == paper
