"""The network of the package trained from a cohort's folder, and the crops that are cut for it once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis, Level
from spine_fracture.bundle import read_bundle, write_bundle
from spine_fracture.classification.classifier import LevelClassifier
from spine_fracture.classification.crops import level_crops
from spine_fracture.classification.sixchannel import SixChannelConfig
from spine_fracture.errors import InputError, InsufficientEvidenceError, ModelFileError
from spine_fracture.evaluation.answers import Answers, Part
from spine_fracture.training.classifiers.cache import SOURCES
from spine_fracture.training.classifiers.config import Balance
from spine_fracture.training.cohorts.study_cache import CachedStudy, StudyCache, StudyCacheWriter
from spine_fracture.training.learning.schedule import Schedule
from spine_fracture.training.systems.families import load_system
from spine_fracture.training.systems.family import EpochLine
from spine_fracture.training.systems.level_crops import level_crop_cache
from spine_fracture.training.systems.six_channel import FAMILY, SixChannelTraining, crop_task

TINY = SixChannelTraining(
    name="tiny",
    family="six_channel",
    question="malignant_or_benign",
    network=SixChannelConfig(trunk="resnet10", width=8),
    balance=Balance(prevalence=(0.25, 0.25, 0.25, 0.25), shares=(0, 1, 0)),
    schedule=Schedule(epochs=2, steps=12, batch=16, learning_rate=3e-3, beta1=0.5),
)


@pytest.fixture(scope="module")
def trained(small_cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("six_channel")
    told: list[str | EpochLine] = []
    done = FAMILY.train(TINY, small_cohort, out, 3, told.append)
    assert len(told) == done.cost.epochs == 2 and done.manifest.seed == 3
    return out


@pytest.fixture(scope="module")
def answers(trained: Path, small_cohort: Path) -> Answers:
    judged = FAMILY.answer(trained, small_cohort).answers
    assert judged is not None
    return judged


def test_crops_are_cut_once_and_of_those_alone_who_teach_or_choose(small_cohort: Path) -> None:
    cache = level_crop_cache(small_cohort, 1.35)
    labels = StudyCache(small_cohort / "studies").labels
    assert cache.patients == tuple(label.patient for label in labels if label.part in (None, Part.VALIDATION))
    held_out = {cache.patients[at] for at in cache.column("patient")[cache.where(held_out=True)]}
    assert held_out == {label.patient for label in labels if label.part is Part.VALIDATION}
    # Two levels on all four slices, two on the two that show their finding.
    assert len(cache) == (4 + 2 + 4 + 2) * len(cache.patients)
    study = StudyCache(small_cohort / "studies")[0]
    fracture = study.label.levels[1]
    first = cache.crops[4]
    cut = level_crops(study.pair(), fracture.on_slices()[1:2], 96, 2.0)[0]
    np.testing.assert_allclose(first / 255, cut, atol=0.003)
    (folder,) = (small_cohort / "caches").glob("level_crops-*")
    written = (folder / "crops.bin").stat().st_mtime_ns
    level_crop_cache(small_cohort, 1.35)
    assert (folder / "crops.bin").stat().st_mtime_ns == written


def test_crops_are_cut_anew_when_the_patients_are_divided_otherwise(
    small_cohort: Path, tmp_path: Path
) -> None:
    studies = StudyCache(small_cohort / "studies")
    turned = [label.model_copy(update={"external": label.centre == "A"}) for label in studies.labels]
    for number, labels in enumerate((studies.labels, turned)):
        studies.relabel(tmp_path / "studies", "turned", labels)
        cache = level_crop_cache(tmp_path, 1.35)
        assert len(list((tmp_path / "caches").glob("level_crops-*"))) == number + 1
    teaching = {label.patient for label in turned if label.part in (None, Part.VALIDATION)}
    assert set(cache.patients) == teaching
    with pytest.raises(InputError, match="no studies"):
        level_crop_cache(tmp_path / "nowhere", 1.35)
    for folder in (tmp_path / "caches").glob("level_crops-*"):
        (folder / "cache.json").unlink()
    with pytest.raises(InputError, match="damaged"):
        level_crop_cache(tmp_path, 1.35)


def test_a_cohort_of_reads_teaches_by_the_configuration_that_gives_reads_no_share(
    small_cohort: Path, tmp_path: Path
) -> None:
    studies = StudyCache(small_cohort / "studies")
    reads = [label.model_copy(update={"source": "read"}) for label in studies.labels]
    studies.relabel(tmp_path / "studies", "reads", reads)
    config = load_system("six_channel").config
    assert isinstance(config, SixChannelTraining) and config.balance.shares[2] == 0
    tiny = config.model_copy(update={"network": TINY.network})
    batch = crop_task(tiny, tmp_path, 0).batch(np.random.default_rng(0), 200)
    share = np.bincount(batch.labels, minlength=4) / 200
    np.testing.assert_allclose(share, config.balance.prevalence, atol=0.1)
    alike = [
        label.model_copy(
            update={"levels": tuple(lv for lv in label.levels if lv.diagnosis is Diagnosis.NORMAL)}
        )
        for label in reads
    ]
    studies.relabel(tmp_path / "studies", "reads of one class", alike)
    with pytest.raises(InsufficientEvidenceError, match="normal: add patients of another class"):
        crop_task(tiny, tmp_path, 0)


def test_studies_of_another_making_are_taken_as_read(small_cohort: Path, tmp_path: Path) -> None:
    """Annotated pictures have their file's name for a source."""
    study = StudyCache(small_cohort / "studies")[0]
    with StudyCacheWriter(tmp_path / "studies", "odd") as writer:
        writer.add(CachedStudy(study.label.model_copy(update={"source": "drawn"}), study.pixels))
    found = set(level_crop_cache(tmp_path, 1.35).column("source").tolist())
    assert found == {SOURCES.index("read")}


def test_it_answers_every_level_and_patients_by_their_index_vertebra(
    answers: Answers, small_cohort: Path
) -> None:
    judged = [label for label in StudyCache(small_cohort / "studies").labels if label.part is not None]
    assert answers.classes == MODEL_CLASSES and answers.question == TINY.question
    assert len(answers.cases) == 5 * len(judged)
    by_level = {(case.patient, case.level): case for case in answers.cases}
    for label in judged:
        assert by_level[label.patient, None].probabilities == by_level[label.patient, Level.L2].probabilities
    right = [case.truth is MODEL_CLASSES[int(np.argmax(case.probabilities))] for case in answers.cases]
    assert np.mean(right) > 0.5  # of four classes, after two epochs
    hemangiomas = [c.probabilities for c in answers.cases if c.truth is Diagnosis.HEMANGIOMA]
    assert np.argmax(np.mean(hemangiomas, axis=0)) == MODEL_CLASSES.index(Diagnosis.HEMANGIOMA)


def test_the_bundle_is_what_the_server_loads(trained: Path, small_cohort: Path) -> None:
    model = LevelClassifier.load(trained, "torch")
    assert model.manifest.family == "six_channel"
    labels = StudyCache(small_cohort / "studies").labels
    judged = {label.patient for label in labels if label.part in (Part.TEST, Part.EXTERNAL)}
    assert not judged & set(model.manifest.training_patients)
    assert SixChannelTraining.model_validate(model.manifest.config) == TINY


def test_another_networks_weights_are_refused(trained: Path, small_cohort: Path, tmp_path: Path) -> None:
    manifest, state = read_bundle(trained)
    wider = manifest.architecture | {"width": 16}
    write_bundle(tmp_path, state, manifest.model_copy(update={"architecture": wider}))
    with pytest.raises(ModelFileError, match="do not fit"):
        FAMILY.answer(tmp_path, small_cohort)


def test_it_is_a_system_by_name() -> None:
    system = load_system("six_channel")
    shipped = SixChannelConfig(trunk="resnet18", width=32, pooled_stem=False, dropout=0.2)
    assert isinstance(system.config, SixChannelTraining) and system.config.network == shipped
