"""The whole-study family: what it learns from other levels, batches, bundles and answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis, Level
from spine_fracture.bundle import read_manifest
from spine_fracture.classification.whole_study_classifier import WholeStudyClassifier
from spine_fracture.cohort.splits import Split
from spine_fracture.errors import InsufficientEvidenceError
from spine_fracture.evaluation.answers import MALIGNANT_OR_BENIGN, Answers, Part, is_positive
from spine_fracture.evaluation.statistics.metrics import auc
from spine_fracture.imaging import Sequence
from spine_fracture.training.classifiers.config import Augmentation
from spine_fracture.training.cohorts.study_cache import (
    CachedStudy,
    LevelLabel,
    StudyCache,
    StudyCacheWriter,
    StudyLabel,
)
from spine_fracture.training.systems.family import EpochLine
from spine_fracture.training.systems.whole_study import (
    FAMILY,
    WholeStudyTraining,
    answer,
    task,
    train,
)
from spine_fracture.training.systems.whole_study_cache import UNTAUGHT, whole_study_cache
from spine_fracture.training.systems.whole_study_task import class_weights

STILL = {**dict.fromkeys(Augmentation.model_fields, 0.0), "shift": 0.03}
NARROW = {
    "trunk": "resnet10",
    "width": 4,
    "features": 32,
    "heads": 2,
    "dropout": 0.0,
    "size": 24,
    "slices": 2,
}
LEVELS = (Level.L1, Level.L2, Level.L3, Level.L4, Level.L5)


def recipe(**changes: object) -> WholeStudyTraining:
    settings = {
        "name": "narrow", "family": "whole_study", "network": NARROW,
        "schedule": {"epochs": 2, "steps": 3, "batch": 3},
    }  # fmt: skip
    return WholeStudyTraining.model_validate(settings | changes)


def study(number: int, split: Split, rng: np.random.Generator) -> CachedStudy:
    """Five levels, of which one is broken, in the same way whoever has it; in every second study it is
    called malignant, and there another level, anywhere, has a bright spot.
    """
    malignant = number % 2 == 1
    broken, spotted = rng.choice(5, 2, replace=False)
    pixels = rng.normal(60, 3, (2, 4, 110, 40))
    pixels[:, 2:] = 0
    levels = []
    for at, level in enumerate(LEVELS):
        rows = slice(4 + 21 * at, 20 + 21 * at)
        diagnosis = Diagnosis.NORMAL
        pixels[:, :2, rows, 10:30] += 60
        if at == broken:
            diagnosis = Diagnosis.MALIGNANT if malignant else Diagnosis.BENIGN_FRACTURE
            pixels[:, :2, rows, 10:20] -= 50
        if at == spotted and malignant:
            diagnosis = Diagnosis.HEMANGIOMA
            pixels[:, :2, rows, 14:26] += 80
        box = (10.0, float(rows.start), 30.0, float(rows.stop))
        levels.append(
            LevelLabel(level=level, diagnosis=diagnosis, slices=(0, 1), boxes=(box, box), shown=(True, True))
        )
    label = StudyLabel(
        patient=f"patient-{number}", centre="A", split=split, source="phantom",
        sequences=(Sequence.T1, Sequence.T2), levels=tuple(levels), index_level=LEVELS[broken],
    )  # fmt: skip
    return CachedStudy(label, pixels.clip(0, 255).astype(np.uint8))


def area(answers: Answers | None) -> float:
    assert answers is not None
    cases = [case for case in answers.asked(Part.TEST) if case.level is not None]
    found = auc(answers.scores(cases), is_positive(cases, MALIGNANT_OR_BENIGN))
    assert found is not None
    return found


def test_a_level_is_told_by_another_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with StudyCacheWriter(tmp_path / "studies", "context") as writer:
        for number in range(88):
            writer.add(study(number, Split.TEST if number >= 48 else Split.TRAIN, rng))
    schedule = {"epochs": 1, "steps": 80, "batch": 8, "learning_rate": 0.005, "averaging": 0.9}
    config = recipe(augmentation=STILL, teaching={"hidden": 0.2}, schedule=schedule)
    train(config, tmp_path, tmp_path / "out", 0, lambda line: None)
    answers = answer(tmp_path / "out", tmp_path).answers
    assert answers is not None and area(answers) > 0.9
    assert 0.3 < area(answers.alone()) < 0.7


@pytest.fixture(scope="module")
def trained(small_cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two epochs on the small cohort."""
    out = tmp_path_factory.mktemp("trained")
    lines: list[str | EpochLine] = []
    done = FAMILY.train(recipe(), small_cohort, out, 3, lines.append)
    assert len(lines) == done.cost.epochs == 2
    return out


def test_a_bundle_answers_as_the_network_that_it_was_written_from(
    trained: Path, small_cohort: Path, tmp_path: Path
) -> None:
    manifest = read_manifest(trained)
    assert manifest.family == FAMILY.name
    assert 0.05 <= manifest.temperature <= 20
    teaching = [label for label in StudyCache(small_cohort / "studies").labels if label.part is None]
    assert {label.patient for label in teaching} < set(manifest.training_patients)
    first, again = (answer(trained, small_cohort).answers for _ in range(2))
    train(recipe(), small_cohort, tmp_path, 3, lambda line: None)
    same = answer(tmp_path, small_cohort).answers
    assert first == again == same
    assert first is not None
    assert first.classes == MODEL_CLASSES
    assert {case.part for case in first.cases} == set(Part)
    whole = [case for case in first.cases if case.level is None]
    assert len({case.patient for case in whole}) == len(whole) > 0
    assert all(sum(case.probabilities) == pytest.approx(1) for case in first.cases)
    assert all(sum(case.alone) == pytest.approx(1) for case in first.cases)


def test_what_validates_is_seen_as_it_is_served(trained: Path, small_cohort: Path) -> None:
    learning = task(recipe(), small_cohort, 3)
    model = WholeStudyClassifier.load(trained)
    logits, labels = learning.judged(model._network, torch.device("cpu"))
    served = answer(trained, small_cohort).answers
    assert served is not None
    cases = [c for c in served.cases if c.part is Part.VALIDATION and c.level is not None]
    assert labels.tolist() == [MODEL_CLASSES.index(case.truth) for case in cases]
    seen = torch.softmax(logits / model.manifest.temperature, dim=1).numpy()
    np.testing.assert_allclose(seen, [case.probabilities for case in cases], atol=0.05)


def test_crops_are_cut_once_a_cohort_and_again_when_it_changes(small_cohort: Path) -> None:
    task(recipe(), small_cohort, 0)
    made = set((small_cohort / "caches").iterdir())
    task(recipe(), small_cohort, 1)
    assert set((small_cohort / "caches").iterdir()) == made
    task(recipe(network=NARROW | {"margin": 1.2}), small_cohort, 0)
    assert len(set((small_cohort / "caches").iterdir()) - made) == 1


def test_a_batch_is_drawn_from_its_seed_and_hides_levels_slices_and_sequences(small_cohort: Path) -> None:
    config = recipe(
        teaching={"hidden": 0.9}, augmentation={"missing": 0.3, "lone_slice": 0.5}, network=NARROW
    )
    learning = task(config, small_cohort, 0)
    one, same, other = (learning.batch(np.random.default_rng(seed), 24) for seed in (1, 1, 2))
    assert torch.equal(one.crops, same.crops)
    assert one.changes is not None
    assert same.changes is not None
    assert torch.equal(one.changes.turn, same.changes.turn)
    assert one.crops.shape != other.crops.shape or not torch.equal(one.crops, other.crops)
    assert set(one.levels.sequence.bincount().tolist()) == {1, 2, 3, 4}
    assert set(one.slices.sequence.bincount().tolist()) == {1, 2}
    acquired = {tuple(row) for row in one.present.tolist()}
    assert acquired == {(True, True, False, False), (True, False, False, False), (False, True, False, False)}


def test_a_scanner_changes_all_levels_of_a_study_alike(small_cohort: Path) -> None:
    learning = task(recipe(), small_cohort, 0)
    batch = learning.batch(np.random.default_rng(0), 6)
    assert batch.changes is not None
    level = batch.slices.sequence
    of_study = batch.levels.sequence[level]
    for names, group in ((("gamma", "sharpness", "noise"), of_study), (("turn", "width", "bias"), level)):
        for name in names:
            values = getattr(batch.changes, name)
            distinct = {(int(at), *map(float, row)) for at, row in zip(group, values, strict=True)}
            assert len(distinct) == int(group.max()) + 1


def test_one_class_alone_teaches_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with StudyCacheWriter(tmp_path / "studies", "one class") as writer:
        whole = study(0, Split.TRAIN, rng)
        levels = tuple(
            level.model_copy(update={"diagnosis": Diagnosis.NORMAL}) for level in whole.label.levels
        )
        writer.add(CachedStudy(whole.label.model_copy(update={"levels": levels}), whole.pixels))
    with pytest.raises(InsufficientEvidenceError, match="normal alone"):
        task(recipe(), tmp_path, 0)


def test_a_prevalence_of_classes_that_nobody_has_weighs_nothing_and_is_refused(small_cohort: Path) -> None:
    studies = StudyCache(small_cohort / "studies")
    there = {level.diagnosis for label in studies.labels for level in label.levels}
    assert there == set(MODEL_CLASSES)
    prevalence = tuple(float(name is Diagnosis.HEMANGIOMA) for name in MODEL_CLASSES)
    cache = whole_study_cache(small_cohort, 1.0)
    assert np.isfinite(class_weights(cache, prevalence)).all()
    cache._labels[cache._labels == MODEL_CLASSES.index(Diagnosis.HEMANGIOMA)] = UNTAUGHT
    with pytest.raises(InsufficientEvidenceError, match=r"teaching\.prevalence is 0 for all"):
        class_weights(cache, prevalence)


def test_the_configuration_that_comes_with_the_product_is_of_this_family() -> None:
    from spine_fracture.configuration import load_config

    config = load_config("classifiers/whole_study", WholeStudyTraining)
    assert config.family == FAMILY.name
    assert config.question == MALIGNANT_OR_BENIGN.name
