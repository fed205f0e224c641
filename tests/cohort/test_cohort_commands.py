"""What a data manager types: ingest, cohort, freeze."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_cohort import answer, ingested, reading, write_study
from typer.testing import CliRunner

from spine_fracture.anatomy import Diagnosis
from spine_fracture.cli import cli
from spine_fracture.cohort.levels import store_reading
from spine_fracture.cohort.models import Read
from spine_fracture.cohort.overview import overview, reasons
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.reads import submit_read
from spine_fracture.cohort.states import ReadState
from spine_fracture.dicom.write import uid_from
from spine_fracture.errors import InputError, InsufficientEvidenceError, NotFoundError
from spine_fracture.imaging import Sequence
from spine_fracture.settings import settings

KEY = "phantom-000000"  # a training patient


@pytest.fixture
def run(project: Project, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("SPINE_FRACTURE_HOME", str(project.home))
    monkeypatch.setenv("COLUMNS", "200")
    settings.cache_clear()
    return CliRunner()


def test_from_pictures_to_a_snapshot(run: CliRunner, project: Project, pictures: Path) -> None:
    assert "empty" in run.invoke(cli, ["cohort"]).output
    write_study(pictures / "a", KEY)
    write_study(pictures / "b", "b", sequences=(Sequence.T1,))
    (pictures / "notes.txt").write_text("x")
    taken = run.invoke(cli, ["ingest", str(pictures), "--centre", "Centre A"])
    assert taken.exit_code == 0, taken.output
    assert "2 studies with something new" in taken.output and "notes.txt" in taken.output
    with project.transaction() as session:
        level, other, _ = store_reading(session, reading(session, uid_from("study", KEY)))
        submit_read(session, answer(level.id))
    shown = run.invoke(cli, ["cohort"])
    assert "Centre A" in shown.output and "not a DICOM file" in shown.output
    assert "Not for clinical use" in shown.output
    with project.session() as session:
        row = overview(session)[0]
        assert (row.studies, row.series, row.usable_series, row.without_t1, row.without_t2) == (2, 3, 3, 0, 1)
        assert (row.levels, row.reads, row.refused, sum(row.patients)) == (3, 1, 1, 2)
        assert reasons(session)[0][2] == 1
    asked = ["cohort", "--centre", "Centre A", "--diagnosis", "malignant"]
    assert "1 level." in run.invoke(cli, asked).output
    assert "0 levels." in run.invoke(cli, [*asked, "--min-reads", "2"]).output
    assert "0 levels." in run.invoke(cli, [*asked, "--basis", "biopsy"]).output
    assert "Readers disagree" not in shown.output
    with project.transaction() as session:
        submit_read(session, answer(level.id, reader="reader-2", diagnosis=Diagnosis.NORMAL))
    assert "nobody has decided yet: 1." in run.invoke(cli, ["cohort"]).output
    nothing = run.invoke(cli, ["cohort", "freeze", "--name", "first"])
    assert isinstance(nothing.exception, InsufficientEvidenceError) and "1 level" in str(nothing.exception)
    with project.transaction() as session:
        submit_read(session, answer(other.id, "another"))
    frozen = run.invoke(cli, ["cohort", "freeze", "--name", "first"])
    assert "first" in frozen.output and "1 reads to train on" in frozen.output
    assert "disagree: 1 level" in frozen.output


def test_a_folder_that_is_not_there_is_an_error_in_words(run: CliRunner, pictures: Path) -> None:
    result = run.invoke(cli, ["ingest", str(pictures / "missing"), "--centre", "A"])
    assert isinstance(result.exception, InputError)


def test_a_reader_takes_a_read_back(run: CliRunner, project: Project, pictures: Path) -> None:
    study = ingested(project, KEY, pictures)
    with project.transaction() as session:
        read = submit_read(session, answer(store_reading(session, reading(session, study))[0].id)).id
    words = ["withdraw", str(read), "--reader"]
    assert isinstance(run.invoke(cli, [*words, "somebody-else"]).exception, NotFoundError)
    done = run.invoke(cli, [*words, "reader-1"])
    assert done.exit_code == 0 and "is withdrawn" in done.output
    with project.session() as session:
        assert session.get_one(Read, read).state is ReadState.WITHDRAWN
