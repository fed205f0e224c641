"""Healthy or diseased: a network for slices, trees for vertebrae, on a made-up cohort."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis
from spine_fracture.classification import lumbar_pathology
from spine_fracture.classification.convnext import convnext, start_from_imagenet
from spine_fracture.classification.lumbar_pathology import TREES, LumbarPathologyModel, study_reference
from spine_fracture.detection.confidence import Confidences
from spine_fracture.detection.finder import Found
from spine_fracture.errors import InputError, InsufficientEvidenceError, ModelFileError
from spine_fracture.evaluation.answers import QUESTIONS, SICK_OR_HEALTHY, Answers, Part
from spine_fracture.geometry import PixelBox
from spine_fracture.imaging import Pixels
from spine_fracture.training.cohorts.study_cache import CachedStudy, StudyCache, StudyCacheWriter
from spine_fracture.training.systems import box_confidences
from spine_fracture.training.systems.box_confidences import CohortConfidences
from spine_fracture.training.systems.families import load_system
from spine_fracture.training.systems.family import EpochLine, with_settings
from spine_fracture.training.systems.lumbar_pathology import (
    FAMILY,
    LumbarPathologyTraining,
    answer,
    roles_of,
    slice_task,
    train,
)
from spine_fracture.training.systems.slice_pictures import channels

TINY = with_settings(
    LumbarPathologyTraining(name="lumbar_pathology", family="lumbar_pathology", question="sick_or_healthy"),
    {
        "network.trunk": "convnext_atto",
        "network.sequences": ["T1"],
        "network.size": 32,
        "schedule.epochs": 2,
        "schedule.steps": 12,
        "schedule.batch": 16,
        "schedule.learning_rate": 3e-3,
        "joiner.share": 0.4,
        "joiner.levels_a_leaf": 2,
    },
)


class Eye:
    """Stands in for the package's detector: it finds the made-up bodies, the surer the brighter in T1."""

    manifest = SimpleNamespace(digest="0" * 64)

    def find(self, pixels: Pixels) -> tuple[Found, ...]:
        bodies = [PixelBox(16, 6 + 34 * at, 46, 28 + 34 * at) for at in range(4)]
        return tuple(
            Found(at, box, (float(t1[int(box.y0) : int(box.y1), 16:46].mean()), 0, 0, 0))
            for at, t1 in enumerate(pixels[:, 0])
            for box in bodies
        )


@pytest.fixture(scope="module", autouse=True)
def eye() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        for module in (box_confidences, lumbar_pathology):
            patched.setattr(module, "shipped_finder", Eye)
        yield


@pytest.fixture(scope="module")
def trained(eye: None, small_cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("lumbar_pathology")
    lines: list[str | EpochLine] = []
    trained = train(TINY, small_cohort, out, 3, lines.append)
    assert len(lines) == 3 and "trees grown" in str(lines[-1]) and trained.cost.epochs == 2
    assert sorted(path.name for path in out.iterdir()) == ["model.json", TREES, "weights.safetensors"]
    return out


def studies_without(source: Path, target: Path, unwanted: Diagnosis) -> Path:
    """The cohort, but for the levels with this diagnosis."""
    cache = StudyCache(source / "studies")
    with StudyCacheWriter(target / "studies", cache.name) as writer:
        for study in cache:
            levels = tuple(level for level in study.label.levels if level.diagnosis is not unwanted)
            writer.add(CachedStudy(study.label.model_copy(update={"levels": levels}), study.pixels))
    return target


def test_it_tells_diseased_vertebrae_from_healthy_ones(trained: Path, small_cohort: Path) -> None:
    answers = answer(trained, small_cohort).answers
    assert answers is not None
    cases = [case for part in Part for case in answers.asked(part)]
    scores = answers.scores(cases)
    sick = np.array([case.truth in SICK_OR_HEALTHY.positive for case in cases])
    assert sick.any() and scores[sick].min() > scores[~sick].max()
    # Every level is answered to, so that other questions can be put too.
    assert {case.truth for case in answers.cases} > {Diagnosis.HEMANGIOMA, Diagnosis.BENIGN_FRACTURE}
    assert answers.classes == MODEL_CLASSES and {case.part for case in answers.cases} == set(Part)
    assert all(case.probabilities[1] == case.probabilities[3] == 0 for case in answers.cases)
    answerable = [name for name, question in QUESTIONS.items() if answers.can_answer(question)]
    assert answerable == ["sick_or_healthy", "altered_or_normal"]


def test_trees_learn_from_patients_the_network_never_saw(small_cohort: Path) -> None:
    cache = StudyCache(small_cohort / "studies")
    roles = roles_of(cache, TINY, 3)
    groups = [{cache.labels[at].patient for at in part} for part in (roles.network, roles.trees)]
    assert not groups[0] & groups[1] and all(groups)
    assert all(cache.labels[at].part is None for at in (*roles.network, *roles.trees))
    assert {cache.labels[at].part for at in roles.validation} == {Part.VALIDATION}
    assert roles_of(cache, TINY, 3) == roles != roles_of(cache, TINY, 4)


def test_slices_that_teach_are_scaled_as_those_that_are_served(small_cohort: Path) -> None:
    cache = StudyCache(small_cohort / "studies")
    taught = slice_task(TINY, small_cohort, 3).batch(np.random.default_rng(0), 8).references.numpy()
    served = []
    for study in (cache[at] for at in roles_of(cache, TINY, 3).network):
        levels = [level.on_slices() for level in study.label.levels]
        usual = study_reference(channels(study, TINY.network.sequences), levels, TINY.network)
        served.append(np.stack([usual.centre, usual.spread], 1))
    for reference in taught:
        assert min(np.abs(reference - one).max() for one in served) < 1e-6


def test_serving_gives_the_judged_answers_and_names_the_missing_sequence(
    trained: Path, small_cohort: Path
) -> None:
    answers = answer(trained, small_cohort).answers
    assert isinstance(answers, Answers)
    model, cache = LumbarPathologyModel.load(trained), StudyCache(small_cohort / "studies")
    study = next(s for s in cache if s.label.part is Part.TEST)
    boxes = [level.on_slices() for level in study.label.levels]
    opinions = model.classify(study.pair(), boxes)
    judged = [c.probabilities for c in answers.cases if c.patient == study.label.patient]
    np.testing.assert_allclose([o.probabilities for o in opinions], judged, atol=1e-6)
    assert all(0 <= o.augmentation_spread <= 1 and o.t1_only is None for o in opinions)
    without = study.pair()
    without[:, 0] = 0
    with pytest.raises(InputError, match="no T1"):
        model.classify(without, boxes)
    with pytest.raises(InputError, match="without a box"):
        model.classify(study.pair(), [*boxes, ()])
    assert model.classify(study.pair(), ()) == ()


def test_trees_see_how_surely_boxes_are_found_as_they_will_when_served(
    trained: Path, small_cohort: Path
) -> None:
    known = CohortConfidences(small_cohort)
    (folder,) = (small_cohort / "caches").glob("confidences-*")
    written = (folder / "confidence.bin").stat().st_mtime_ns
    studies, model = StudyCache(small_cohort / "studies"), LumbarPathologyModel.load(trained)
    values = np.concatenate([np.ravel(known[at]) for at in range(len(studies))])
    assert 0 < values.min() < values.max() <= 1
    for at in (0, len(studies) - 1):
        study = studies[at]
        served: list[Confidences] = []
        boxes = [level.on_slices() for level in study.label.levels]
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(model, "judge", lambda *given, served=served: served.append(given[-1]))
            model.classify(study.pair(), boxes)
        np.testing.assert_allclose(served[0], known[at], atol=1e-6)
    CohortConfidences(small_cohort)
    assert (folder / "confidence.bin").stat().st_mtime_ns == written
    grown = (trained / TREES).read_text()
    (ranges,) = (line for line in grown.splitlines() if line.startswith("feature_infos="))
    assert "none" not in ranges.split()[-2:]  # what LightGBM says of a column that never changes


def test_tampered_trees_are_refused(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "model")
    trees = tmp_path / "model" / TREES
    trees.write_text(trees.read_text().replace("leaf_value=", "leaf_value=9", 1))
    with pytest.raises(ModelFileError, match="sha256"):
        LumbarPathologyModel.load(tmp_path / "model")


def test_one_class_is_refused(small_cohort: Path, tmp_path: Path) -> None:
    healthy = studies_without(small_cohort, tmp_path / "healthy", Diagnosis.MALIGNANT)
    with pytest.raises(InsufficientEvidenceError, match="malignant or other"):
        slice_task(TINY, healthy, 0)
    with pytest.raises(InputError, match="T2_FS"):
        slice_task(with_settings(TINY, {"network.sequences": ["T2_FS"]}), small_cohort, 0)


def test_the_published_configuration_reads_t2() -> None:
    system = load_system("lumbar_pathology")
    assert system.family is FAMILY and isinstance(system.config, LumbarPathologyTraining)
    assert system.config.network.sequences == ("T2",)
    with pytest.raises(InputError, match="each sequence once"):
        with_settings(system.config, {"network.sequences": ["T2", "T2"]})


def test_imagenet_weights_fit_any_number_of_sequences(tmp_path: Path) -> None:
    source = convnext("convnext_atto", 3, 1000, 0.0)
    save_file(source.state_dict(), tmp_path / "imagenet.safetensors")
    network = convnext("convnext_atto", 1, 2, 0.0)
    start_from_imagenet(network, tmp_path / "imagenet.safetensors")
    grey = torch.rand(1, 1, 32, 32)
    torch.testing.assert_close(
        network.features(grey), source.features(grey.expand(-1, 3, -1, -1)), rtol=1e-3, atol=1e-5
    )
    with pytest.raises(ModelFileError, match="does not fit"):
        start_from_imagenet(convnext("convnext_tiny", 1, 2, 0.0), tmp_path / "imagenet.safetensors")
    with pytest.raises(ModelFileError, match="leave `imagenet` out"):
        start_from_imagenet(network, tmp_path / "nothing.safetensors")
