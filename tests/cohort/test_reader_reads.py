"""Readers of a snapshot beside a model that is judged on the same reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_cohort import ingested, reading
from read_cohort import ReadStudy, read_study
from typer.testing import CliRunner

from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis, Level
from spine_fracture.cli import cli
from spine_fracture.cohort.adjudication import adjudicate
from spine_fracture.cohort.levels import store_reading
from spine_fracture.cohort.models import ReadMode
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.snapshots import LATEST, freeze, read_snapshot
from spine_fracture.cohort.splits import Split, split_of
from spine_fracture.errors import InputError, InsufficientEvidenceError
from spine_fracture.evaluation.answers import Answers, Case, Part, write_answers
from spine_fracture.read_cohort import cache_snapshot
from spine_fracture.reader_reads import reader_reads
from spine_fracture.settings import settings
from spine_fracture.training.cohorts.naming import CohortNaming
from spine_fracture.training.cohorts.study_cache import StudyCache

MALIGNANT, BENIGN = Diagnosis.MALIGNANT, Diagnosis.BENIGN_FRACTURE
TESTED = [key for key in (f"phantom-{n:06d}" for n in range(99)) if split_of(key) is Split.TEST][:2]


@pytest.fixture
def studies(project: Project, pictures: Path) -> dict[str, ReadStudy]:
    """Two test patients, whose first two levels ann and bob read; on L2 of the first they differ, and cat
    says that it is benign. One training patient, whom ann read.
    """
    read_study(project, pictures).read("ann")
    made = {}
    for key in TESTED:
        uid = ingested(project, key, pictures)
        with project.transaction() as session:
            levels = tuple(level.id for level in store_reading(session, reading(session, uid)))
        made[key] = ReadStudy(project, uid, levels)
        for reader in ("ann", "bob"):
            made[key].read(reader, 0, diagnosis=MALIGNANT)
            made[key].read(reader, 1, diagnosis=BENIGN if key == TESTED[1] or reader == "bob" else MALIGNANT)
    with project.transaction() as session:
        adjudicate(session, made[TESTED[0]].submission("cat", 1, diagnosis=BENIGN))
    return made


def test_what_each_reader_said_is_kept_with_what_was_decided(
    project: Project, studies: dict[str, ReadStudy]
) -> None:
    frozen = freeze(project)
    content = read_snapshot(project)
    assert len(content.readers) == 8 and len(content.evaluation) == 7  # of L2 of the first the decision alone
    reads = reader_reads(project, LATEST, ["real", CohortNaming(frozen.name, frozen.sha256).whole("0" * 8)])
    said = {(read.reader, read.patient, read.level): read.diagnosis for read in reads}
    assert said["reader 1", TESTED[0], Level.L2] is MALIGNANT
    assert said["reader 2", TESTED[0], Level.L2] is BENIGN
    assert {read.reader for read in reads} == {"reader 1", "reader 2"}  # no name, and no adjudicator


def test_assisted_reads_and_those_of_one_reader_alone_judge_nobody(
    project: Project, studies: dict[str, ReadStudy]
) -> None:
    studies[TESTED[1]].read("dan", 2)  # nobody else read L3
    studies[TESTED[1]].read("eve", 0, mode=ReadMode.ASSISTED)
    frozen = freeze(project)
    reads = reader_reads(project, LATEST, [CohortNaming(frozen.name, frozen.sha256).whole("0" * 8)])
    assert len(reads) == 8 and {read.level for read in reads} == {Level.L1, Level.L2}


def test_whoever_names_a_level_otherwise_answered_about_the_same_one(
    project: Project, studies: dict[str, ReadStudy]
) -> None:
    other = studies[TESTED[1]]
    other.read("bob", 0, token="again", name_given=Level.T12)
    with project.transaction() as session:
        adjudicate(session, other.submission("cat", 0, diagnosis=MALIGNANT))
    frozen = freeze(project)
    reads = reader_reads(project, LATEST, [CohortNaming(frozen.name, frozen.sha256).whole("0" * 8)])
    assert [read.level for read in reads if read.patient == TESTED[1]].count(Level.L1) == 2


def test_another_cohort_is_refused_and_a_snapshot_of_single_reads_says_so(
    project: Project, pictures: Path
) -> None:
    read_study(project, pictures).read("ann")
    frozen = freeze(project)
    with pytest.raises(InputError, match="does not hold the reads"):
        reader_reads(project, LATEST, ["simulated-0123456789ab"])
    with pytest.raises(InsufficientEvidenceError, match="read twice"):
        reader_reads(project, LATEST, [CohortNaming(frozen.name, frozen.sha256).whole("0" * 8)])


def test_the_report_sets_readers_beside_the_model(
    project: Project, studies: dict[str, ReadStudy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze(project)
    cache_snapshot(project, LATEST, tmp_path / "cohort")
    cases = [
        Case(
            part=Part.TEST,
            patient=patient,
            level=level,
            truth=MALIGNANT if level is Level.L1 else BENIGN,
            probabilities=tuple(float(name is MALIGNANT) for name in MODEL_CLASSES),
        )
        for patient in TESTED
        for level in (Level.L1, Level.L2)
    ]
    answers = Answers(
        system="cautious",
        version="cautious-1",
        seed=1,
        cohort=StudyCache(tmp_path / "cohort" / "studies").name,
        question="malignant_or_benign",
        classes=MODEL_CLASSES,
        cases=tuple(cases),
    )
    write_answers(answers, tmp_path / "answers.json")
    monkeypatch.setenv("SPINE_FRACTURE_HOME", str(project.home))
    settings.cache_clear()
    words = ["evaluate", str(tmp_path / "answers.json"), "--cohort", str(tmp_path / "cohort")]
    done = CliRunner().invoke(cli, [*words, "--readers", LATEST, "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    page = (tmp_path / "out" / "evaluation.html").read_text()
    assert "Readers and the model" in page and "Reader 1" in page and "ann" not in page.split()
    (model,) = json.loads((tmp_path / "out" / "evaluation.json").read_text())["models"]
    by_level = next(table for table in model["readers"] if table["unit"] == "level")
    figures = {
        row["reader"]: {f["measure"]: (f["reader"]["value"], f["model"]["value"]) for f in row["figures"]}
        for row in by_level["rows"]
    }
    assert figures["reader 1"] == {"sensitivity": (1, 1), "specificity": (0.5, 0), "accuracy": (0.75, 0.5)}
    assert figures["reader 2"]["specificity"] == (1, 0)
    (agreement,) = by_level["agreement"]
    assert agreement["kappa"]["value"] == pytest.approx(0.5)
