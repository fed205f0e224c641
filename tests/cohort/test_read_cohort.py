"""The reads of a snapshot become studies that systems train on and are judged by."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from made_cohort import series
from read_cohort import PATIENTS, read_study
from typer.testing import CliRunner

from spine_fracture.anatomy import Diagnosis, Feature, Level, Primary
from spine_fracture.cli import cli
from spine_fracture.cohort.ingest import ingest
from spine_fracture.cohort.models import Role, StudyFolder
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.reads import DrawnBox
from spine_fracture.cohort.snapshots import LATEST, freeze
from spine_fracture.cohort.splits import Split
from spine_fracture.cohort.studies import find_study, load_pair
from spine_fracture.dicom.demographics import Sex
from spine_fracture.dicom.write import PatientTags, write_series
from spine_fracture.errors import InsufficientEvidenceError
from spine_fracture.evaluation.answers import Part
from spine_fracture.geometry import PixelBox
from spine_fracture.imaging import FURTHER, Sequence
from spine_fracture.read_cohort import cache_snapshot
from spine_fracture.settings import settings
from spine_fracture.training.cohorts.study_cache import CachedStudy, StudyCache


def test_reads_keep_to_the_part_of_their_patient(project: Project, pictures: Path, tmp_path: Path) -> None:
    studies = {split: read_study(project, pictures, split) for split in Split}
    studies[Split.TRAIN].read("ann", 1, features=frozenset({Feature.DIFFUSE_CHANGE}))
    studies[Split.TRAIN].read("ann", 0, diagnosis=Diagnosis.BENIGN_FRACTURE)
    for split in (Split.VALIDATION, Split.TEST):
        studies[split].read("ann", 0)
    frozen = freeze(project)
    written, left_out = cache_snapshot(project, LATEST, tmp_path / "out")
    cache = StudyCache(tmp_path / "out" / "studies")
    assert (written, left_out) == (3, ())
    assert cache.name.startswith(f"{frozen.name}-{frozen.sha256[:8]}-")
    parts = {label.patient: label.part for label in cache.labels}
    assert parts == {
        PATIENTS[Split.TRAIN]: None,
        PATIENTS[Split.VALIDATION]: Part.VALIDATION,
        PATIENTS[Split.TEST]: Part.TEST,
    }
    taught = next(study for study in cache if study.label.part is None)
    assert [(v.level, v.diagnosis, v.features) for v in taught.label.levels] == [
        (Level.L1, Diagnosis.BENIGN_FRACTURE, ()),
        (Level.L2, Diagnosis.MALIGNANT, (Feature.DIFFUSE_CHANGE,)),
        (Level.L3, Diagnosis.INDETERMINATE, ()),
    ]
    assert taught.label.index_level is Level.L2  # read first
    assert (taught.label.centre, taught.label.field_strength) == ("Centre A", 1.5)
    assert taught.label.sequences == (Sequence.T1, Sequence.T2)
    assert taught.label.levels[1].boxes == ((20, 35, 44, 53),) and taught.label.levels[1].slices == (1,)
    with project.session() as session:
        pair = load_pair(session, studies[Split.TRAIN].uid)
    np.testing.assert_allclose(taught.pair(), pair.pixels, atol=0.5 / 255 + 1e-6)
    assert not taught.pixels[:, 2:].any()


def test_sex_age_and_the_tumour_of_malignant_levels_come_along(
    project: Project, pictures: Path, tmp_path: Path
) -> None:
    study = read_study(project, pictures)
    study.read("ann", 0)
    study.read("ann", 1, diagnosis=Diagnosis.BENIGN_FRACTURE)
    with project.transaction() as session:
        row = find_study(session, study.uid)
        row.patient.sex, row.patient.primary_tumour, row.age = Sex.FEMALE, Primary.BREAST, 61
    freeze(project)
    cache_snapshot(project, LATEST, tmp_path / "out")
    (label,) = StudyCache(tmp_path / "out" / "studies").labels
    assert (label.sex, label.age) == ("F", 61)
    assert [(level.diagnosis, level.primary) for level in label.levels] == [
        (Diagnosis.MALIGNANT, "breast"),
        (Diagnosis.BENIGN_FRACTURE, ""),
        (Diagnosis.INDETERMINATE, ""),
    ]
    # What was frozen can be repeated: what is learnt of the patient later is for the next snapshot.
    with project.transaction() as session:
        row = find_study(session, study.uid)
        row.patient.sex, row.patient.primary_tumour, row.age = Sex.MALE, Primary.LUNG, 62
    cache_snapshot(project, LATEST, tmp_path / "again")
    assert StudyCache(tmp_path / "again" / "studies").labels == (label,)


def test_what_lies_beside_the_pair_comes_along(project: Project, pictures: Path, tmp_path: Path) -> None:
    """As a served model is given it; a STIR that was lost takes nothing from T1 and T2."""
    studies = {split: read_study(project, pictures, split) for split in (Split.TRAIN, Split.TEST)}
    for study in studies.values():
        study.read("ann")
    patient, uid = PATIENTS[Split.TRAIN], studies[Split.TRAIN].uid
    with project.session() as session:
        plain = np.rint(load_pair(session, uid).pixels * 255)
    stir = series(Sequence.T2_FAT_SAT, patient)
    write_series(stir, PatientTags(patient, uid), pictures / "stir", series_number=3)
    ingest(pictures / "stir", "Centre A", project)
    freeze(project)

    assert cache_snapshot(project, LATEST, tmp_path / "whole") == (2, ())
    whole, other = taught_first(tmp_path / "whole")
    assert whole.label.sequences == (Sequence.T1, Sequence.T2, Sequence.T2_FAT_SAT)
    with project.session() as session:
        served = load_pair(session, uid, FURTHER).channels
    np.testing.assert_array_equal(whole.pixels, np.rint(served * 255))
    np.testing.assert_array_equal(whole.pixels[:, :2], plain)
    assert whole.pixels[:, 2].any() and not whole.pixels[:, 3].any()
    assert other.label.sequences == (Sequence.T1, Sequence.T2) and not other.pixels[:, 2:].any()

    shutil.rmtree(pictures / "stir")
    written, (reason,) = cache_snapshot(project, LATEST, tmp_path / "lost")
    assert written == 2 and reason.startswith(f"T2_FS of study {uid}: ") and "stir" not in reason
    lost, _ = taught_first(tmp_path / "lost")
    assert lost.label.sequences == (Sequence.T1, Sequence.T2) and not lost.pixels[:, 2:].any()
    np.testing.assert_array_equal(lost.pixels[:, :2], plain)


def taught_first(cohort: Path) -> list[CachedStudy]:
    return sorted(StudyCache(cohort / "studies"), key=lambda study: study.label.part is not None)


def test_the_vertebra_that_a_patient_is_about_is_a_malignant_one(
    project: Project, pictures: Path, tmp_path: Path
) -> None:
    study = read_study(project, pictures)
    study.read("ann", 0, diagnosis=Diagnosis.BENIGN_FRACTURE)
    study.read("ann", 2)
    freeze(project)
    cache_snapshot(project, LATEST, tmp_path / "out")
    assert StudyCache(tmp_path / "out" / "studies").labels[0].index_level is Level.L3


def test_a_box_that_was_corrected_on_either_picture_is_the_one_that_is_taught(
    project: Project, pictures: Path, tmp_path: Path
) -> None:
    study = read_study(project, pictures)
    with project.session() as session:
        roles = {one.role: one.uid for one in find_study(session, study.uid).series}
    for number, role in enumerate((Role.T1, Role.T2)):
        study.read("ann", number, box=DrawnBox(roles[role], 1, PixelBox(22, 30, 46, 50)))
    freeze(project)
    assert cache_snapshot(project, LATEST, tmp_path / "out") == (1, ())
    (label,) = StudyCache(tmp_path / "out" / "studies").labels
    for level in label.levels[:2]:
        assert level.boxes[level.slices.index(1)] == pytest.approx((22, 30, 46, 50))


def test_readers_who_disagree_are_left_out_by_name(project: Project, pictures: Path, tmp_path: Path) -> None:
    study = read_study(project, pictures)
    study.read("ann", 0)
    study.read("ann", 1)
    study.read("bob", 1, diagnosis=Diagnosis.NORMAL)
    freeze(project)
    _, (reason,) = cache_snapshot(project, LATEST, tmp_path / "out")
    assert "disagree" in reason
    (label,) = StudyCache(tmp_path / "out" / "studies").labels
    assert [v.diagnosis for v in label.levels] == [
        Diagnosis.MALIGNANT,
        Diagnosis.INDETERMINATE,
        Diagnosis.INDETERMINATE,
    ]


def test_the_command_says_what_came_of_it(
    project: Project, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_study(project, pictures).read("ann")
    freeze(project, "first")
    monkeypatch.setenv("SPINE_FRACTURE_HOME", str(project.home))
    settings.cache_clear()
    words = ["cohort", "cache", "--snapshot", "first", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0 and "1 study" in done.output
    with project.transaction() as session:
        for folder in session.query(StudyFolder):
            folder.path += "-moved"
    refused = CliRunner().invoke(cli, words)
    assert isinstance(refused.exception, InsufficientEvidenceError)
    assert "no longer where they were" in str(refused.exception)
