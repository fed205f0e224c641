"""Hemangioma or metastasis on one sequence, on a made-up cohort."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis
from spine_fracture.bundle import read_manifest
from spine_fracture.classification.hemangioma import HemangiomaModel
from spine_fracture.configuration import load_config
from spine_fracture.errors import InputError, InsufficientEvidenceError, ModelFileError
from spine_fracture.evaluation.answers import Part
from spine_fracture.evaluation.papers.printed import Paper
from spine_fracture.imaging import Sequence
from spine_fracture.training.cohorts.study_cache import CachedStudy, StudyCache, StudyCacheWriter
from spine_fracture.training.comparisons.comparison import Comparison, system_of
from spine_fracture.training.systems.families import load_system
from spine_fracture.training.systems.family import EpochLine, with_settings
from spine_fracture.training.systems.hemangioma import (
    FAMILY,
    HemangiomaTraining,
    answer,
    down_sampled,
    region_task,
    train,
)
from spine_fracture.training.systems.slice_pictures import SlicePictures

TINY = with_settings(
    HemangiomaTraining(name="hemangioma", family="hemangioma", question="metastasis_or_hemangioma"),
    {
        "network.size": 32,
        "network.filters": [4, 8, 8],
        "network.dense": 16,
        "schedule.epochs": 2,
        "schedule.steps": 40,
        "schedule.batch": 8,
        "schedule.learning_rate": 3e-3,
        "schedule.averaging": 0.9,
    },
)


@pytest.fixture(scope="session")
def trained(small_cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("hemangioma")
    lines: list[str | EpochLine] = []
    assert train(TINY, small_cohort, out, 5, lines.append).cost.epochs == 2 and len(lines) == 2
    return out


def test_it_answers_to_hemangiomas_and_metastases_alone(trained: Path, small_cohort: Path) -> None:
    answers = answer(trained, small_cohort).answers
    assert answers is not None
    assert {case.truth for case in answers.cases} == {Diagnosis.HEMANGIOMA, Diagnosis.MALIGNANT}
    assert {case.part for case in answers.cases} == set(Part)
    scores = answers.scores(answers.cases)
    metastases = np.array([case.truth is Diagnosis.MALIGNANT for case in answers.cases])
    assert scores[metastases].min() > scores[~metastases].max()


def test_a_model_of_one_tumour_is_not_asked_about_others(
    trained: Path, small_cohort: Path, tmp_path: Path
) -> None:
    lung, breast = (with_settings(TINY, {"tumour": tumour}) for tumour in ("lung", "breast"))
    assert region_task(lung, small_cohort, 0).patients == region_task(TINY, small_cohort, 0).patients
    with pytest.raises(InsufficientEvidenceError, match="malignant"):
        region_task(breast, small_cohort, 0)


def test_studies_without_the_sequence_are_left_out(trained: Path, small_cohort: Path, tmp_path: Path) -> None:
    cache = StudyCache(small_cohort / "studies")
    with StudyCacheWriter(tmp_path / "studies", cache.name) as writer:
        for at, study in enumerate(cache):
            label = study.label.model_copy(update={"sequences": (Sequence.T2,)})
            writer.add(CachedStudy(label if at % 4 == 0 else study.label, study.pixels))
    left = answer(trained, tmp_path).answers
    whole = answer(trained, small_cohort).answers
    assert left is not None and whole is not None
    gone = {label.patient for at, label in enumerate(cache.labels) if at % 4 == 0}
    assert left.cases == tuple(case for case in whole.cases if case.patient not in gone)
    with pytest.raises(InputError, match="T1_CE"):
        region_task(with_settings(TINY, {"sequence": "T1_CE"}), small_cohort, 0)


def test_serving_reads_its_channel_and_names_the_missing_sequence(trained: Path, small_cohort: Path) -> None:
    model, cache = HemangiomaModel.load(trained), StudyCache(small_cohort / "studies")
    study = next(s for s in cache if s.label.part is Part.TEST)
    boxes = [level.on_slices() for level in study.label.levels]
    opinions = model.classify(study.pair(), boxes)
    assert len(opinions) == len(boxes) and model.classify(study.pair(), ()) == ()
    for opinion in opinions:
        given = dict(zip(MODEL_CLASSES, opinion.probabilities, strict=True))
        assert given[Diagnosis.NORMAL] == given[Diagnosis.BENIGN_FRACTURE] == 0
        assert given[Diagnosis.MALIGNANT] + given[Diagnosis.HEMANGIOMA] == pytest.approx(1)
        assert 0 <= opinion.augmentation_spread <= 1
    other = study.pair()
    other[:, 1] = 0.5
    assert model.classify(other, boxes) == opinions
    other[:, 0] = 0
    with pytest.raises(InputError, match="no T1"):
        model.classify(other, boxes)
    with pytest.raises(InputError, match="without a box"):
        model.classify(study.pair(), [()])


def test_the_larger_class_is_down_sampled() -> None:
    positive = np.array([True] * 9 + [False] * 3)
    pictures = SlicePictures(
        np.arange(12, dtype=np.uint8).reshape(12, 1, 1, 1),
        np.zeros((12, 1, 2), np.float32),
        positive,
        tuple(f"p{at}" for at in range(12)),
    )
    kept = down_sampled(pictures, np.random.default_rng(0))
    assert len(kept) == 6 and kept.positive.sum() == 3
    assert [f"p{at}" for at in kept.crops.ravel()] == list(kept.patients)
    again, other = (down_sampled(pictures, np.random.default_rng(seed)).patients for seed in (0, 1))
    assert kept.patients == again != other


def test_no_patient_is_left_out_while_others_have_two_pictures() -> None:
    # Twelve hemangiomas: one patient with nine slices, three with one; four metastases to be as many as.
    patients = ("many",) * 9 + ("p1", "p2", "p3") + ("sick",) * 4
    pictures = SlicePictures(
        np.arange(16, dtype=np.uint8).reshape(16, 1, 1, 1),
        np.zeros((16, 1, 2), np.float32),
        np.array([False] * 12 + [True] * 4),
        patients,
    )
    for seed in range(20):
        kept = down_sampled(pictures, np.random.default_rng(seed))
        assert sorted(kept.patients[:4]) == ["many", "p1", "p2", "p3"]
        assert kept.patients[4:] == ("sick",) * 4


def test_a_bundle_of_another_family_is_refused(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "weights.safetensors").write_bytes((trained / "weights.safetensors").read_bytes())
    other = read_manifest(trained).model_copy(update={"family": "yeh2022"})
    (tmp_path / "model.json").write_text(other.sealed().model_dump_json())
    with pytest.raises(ModelFileError, match="is a yeh2022, not a hemangioma"):
        HemangiomaModel.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "sequence", "tumour"),
    [
        ("hemangioma", "T1", "myeloma"),
        ("hemangioma_t1", "T1", "all"),
        ("hemangioma_t2", "T2", "all"),
        ("hemangioma_stir", "T2_FS", "all"),
        ("hemangioma_contrast", "T1_CE", "all"),
    ],
)
def test_one_configuration_a_sequence(name: str, sequence: str, tumour: str) -> None:
    system = load_system(name)
    assert system.family is FAMILY and isinstance(system.config, HemangiomaTraining)
    assert (system.config.sequence, system.config.tumour) == (sequence, tumour)
    published = load_system("hemangioma").config
    alike = with_settings(published, {"sequence": sequence, "tumour": tumour})
    assert alike.model_copy(update={"name": name}) == system.config


def test_every_row_of_the_papers_table_can_be_filled_and_every_entry_fills_one() -> None:
    (table,) = load_config("papers/hemangioma", Paper).tables
    rows = {row.entry for row in table.rows}
    sequences, tumours = ("t1", "t2", "stir", "contrast"), ("breast", "lung", "prostate", "renal", "myeloma")
    assert len(rows) == len(sequences) * (1 + len(tumours))
    for sequence in sequences:
        system = load_system(f"hemangioma_{sequence}")
        assert system.name in rows
        for tumour in tumours:
            assert with_settings(system.config, {"tumour": tumour})
            assert f"{system.name}_{tumour}" in rows
    comparison = load_config("comparisons/cpu", Comparison)
    for entry in comparison.entries:
        if not entry.system.startswith("hemangioma"):
            continue
        config = system_of(comparison, entry).config
        assert isinstance(config, HemangiomaTraining)
        sequence = sequences[("T1", "T2", "T2_FS", "T1_CE").index(config.sequence)]
        alone = "" if config.tumour == "all" else f"_{config.tumour}"
        assert entry.name == f"hemangioma_{sequence}{alone}"
