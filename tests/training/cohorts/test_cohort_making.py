"""A cohort is made in parts, goes on after an interruption, and is the same in the end."""

from __future__ import annotations

import re
import resource
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.cli import cli
from spine_fracture.cohort.splits import split_of
from spine_fracture.configuration import CONFIGS, load_config
from spine_fracture.errors import InputError, StorageError
from spine_fracture.imaging import Sequence
from spine_fracture.simulation.phantom import patient_key
from spine_fracture.training.cohorts import making as cohort_making
from spine_fracture.training.cohorts.config import CohortConfig
from spine_fracture.training.cohorts.making import STUDIES, make_cohort
from spine_fracture.training.cohorts.studies import Recruit
from spine_fracture.training.cohorts.study_cache import CachedStudy, LevelLabel, StudyCache, StudyLabel
from spine_fracture.training.cohorts.summary import CohortSummary, read_summary

PATIENTS = 25


def config(name: str = "quick", patients: int = PATIENTS) -> CohortConfig:
    phantoms = {"name": name, "patients": patients, "patient_shift": 0}
    return CohortConfig.model_validate({"name": name, "external": ["D"], "phantoms": phantoms})


def painted(recruit: Recruit, _: CohortConfig) -> CachedStudy:
    """In place of a phantom, which takes a second: every third patient has a tumour, in two levels."""
    assert isinstance(recruit, int)
    ill = Diagnosis.MALIGNANT if recruit % 3 == 0 else Diagnosis.NORMAL
    levels = tuple(
        LevelLabel(level=level, diagnosis=ill, slices=(0,), boxes=((1, 1, 5, 5),), shown=(True,))
        for level in (Level.L1, Level.L2)
    )
    key = patient_key(recruit)
    label = StudyLabel(
        patient=key, centre="AD"[recruit % 2], split=split_of(key), external=recruit % 2 == 1,
        source="phantom", sequences=(Sequence.T1, Sequence.T2), levels=levels,
    )  # fmt: skip
    return CachedStudy(label, np.random.default_rng(recruit).integers(0, 255, (1, 4, 8, 8)).astype(np.uint8))


@pytest.fixture(autouse=True)
def _no_phantoms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cohort_making, "make_study", painted)


def made(out: Path, settings: CohortConfig | None = None) -> CohortSummary:
    return make_cohort(settings or config(), None, out, 1, lambda done, of: None)


def test_the_summary_counts_and_names_what_was_made(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    summary = make_cohort(config(), None, tmp_path, 1, lambda done, of: told.append((done, of)))
    cache = StudyCache(tmp_path / STUDIES)
    assert summary == read_summary(tmp_path)
    assert summary.name == cache.name
    assert re.fullmatch(rf"quick-[0-9a-f]{{8}}-{summary.content[:8]}", summary.name)
    assert summary.patients == len(cache) == PATIENTS
    assert [label.patient for label in cache.labels] == [patient_key(n) for n in range(PATIENTS)]
    assert summary.centres["D"] == {"external": 12}
    assert sum(summary.centres["A"].values()) == 13
    assert sum(parts.get(Diagnosis.MALIGNANT, 0) for parts in summary.classes.values()) == 9
    assert summary.skip_lesions[Diagnosis.MALIGNANT] == (9, 9)
    assert told[0] == (0, PATIENTS) and told[-1] == (PATIENTS, PATIENTS)
    assert {path.name for path in tmp_path.iterdir()} == {STUDIES, "cohort.json"}


def test_an_interrupted_making_goes_on_to_the_same_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = made(tmp_path / "whole")
    asked: list[Recruit] = []

    def failing_once(recruit: Recruit, settings: CohortConfig) -> CachedStudy:
        asked.append(recruit)
        if asked.count(17) == 1 and recruit == 17:
            raise KeyboardInterrupt
        return painted(recruit, settings)

    monkeypatch.setattr(cohort_making, "make_study", failing_once)
    with pytest.raises(KeyboardInterrupt):
        made(tmp_path / "cut")
    assert read_summary(tmp_path / "cut") is None
    asked_before = len(asked)
    assert made(tmp_path / "cut") == whole
    assert min(n for n in asked[asked_before:] if isinstance(n, int)) == 10  # the first part was whole
    one, other = (tmp_path / name / STUDIES / "pixels.bin" for name in ("whole", "cut"))
    assert one.read_bytes() == other.read_bytes()


def test_what_is_there_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = made(tmp_path)
    monkeypatch.setattr(cohort_making, "make_study", None)
    assert made(tmp_path) == first


def test_code_that_makes_other_pictures_makes_another_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = made(tmp_path / "before")

    def brighter(recruit: Recruit, settings: CohortConfig) -> CachedStudy:
        study = painted(recruit, settings)
        return CachedStudy(study.label, study.pixels // 2 + 100)

    monkeypatch.setattr(cohort_making, "make_study", brighter)
    after = made(tmp_path / "after")
    assert after.name != before.name and after.name[:15] == before.name[:15]  # quick-, what it is made of, -
    assert made(tmp_path / "before") == before


def test_a_folder_belongs_to_one_cohort(tmp_path: Path) -> None:
    made(tmp_path)
    with pytest.raises(InputError, match="choose another folder"):
        made(tmp_path, config(patients=24))


def test_a_full_disk_is_said_so_and_the_making_goes_on_later(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))  # any longer file now fails as a full disk does
    try:
        with pytest.raises(StorageError, match="Free some space"):
            made(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert made(tmp_path).patients == PATIENTS


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="choose another folder"):
        made(tmp_path / "file")


def test_the_shipped_cohorts_share_their_patients_and_differ_in_skip_lesions() -> None:
    names = ("comparison", "comparison_halved", "comparison_equal")
    cohorts = [load_config(CONFIGS / "cohorts" / f"{name}.yaml", CohortConfig) for name in names]
    assert len({cohort.phantoms.first_seed for cohort in cohorts}) == 1
    skips = [cohort.phantoms.skip_lesions for cohort in cohorts]
    between = [s.malignant - s.benign for s in skips if s]
    np.testing.assert_allclose(between, [39 / 50 - 8 / 140, (39 / 50 - 8 / 140) / 2, 0], atol=1e-6)
    np.testing.assert_allclose([s.malignant + s.benign for s in skips if s], 39 / 50 + 8 / 140, atol=1e-6)
    settings = {"name", "skip_lesions", "patients"}
    assert len({cohort.phantoms.model_dump_json(exclude=settings) for cohort in cohorts}) == 1


def test_patients_of_a_cohort_keep_still() -> None:
    with pytest.raises(ValueError, match="patient_shift"):
        CohortConfig.model_validate({"name": "x", "phantoms": {"name": "x", "patients": 1}})


def test_the_command_makes_a_cohort_and_counts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "quick.yaml").write_text(config().model_dump_json())
    words = ["cohort", "simulate", "--config", str(tmp_path / "quick.yaml"), "--workers", "1"]
    done = CliRunner().invoke(cli, [*words, "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "centre D" in done.output and "25 patients" in done.output
    assert "malignant in more than one vertebra: 9 of 9" in done.output
