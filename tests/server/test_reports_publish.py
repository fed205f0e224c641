"""What an engineer types to put predictions into the archive or the project folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from server.made_desk import Desk, desk
from typer.testing import CliRunner

from spine_fracture.anatomy import Level
from spine_fracture.cli import cli
from spine_fracture.cohort.reports import ReportState
from spine_fracture.cohort.splits import Split
from spine_fracture.cohort.studies import find_study
from spine_fracture.dicom.sr.reading import read_report
from spine_fracture.errors import ForbiddenError, InputError, NotFoundError, RemoteError
from spine_fracture.server.reports.authors import model_key
from spine_fracture.server.reports.publishing import queue_all, queue_study
from spine_fracture.settings import settings


@pytest.fixture
def one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = desk(tmp_path)
    monkeypatch.setenv("SPINE_FRACTURE_HOME", str(made.project.home))
    settings.cache_clear()
    return made


def test_one_study_into_the_project_folder(one: Desk) -> None:
    one.read(Level.L1)  # of a reader, which is not the engineer's to send
    answer = CliRunner().invoke(cli, ["publish", "--study", one.study])
    assert answer.exit_code == 0, answer.output
    assert "2 reports stored on 1 studies" in answer.output and "Not for clinical use" in answer.output
    found = [read_report(path.read_bytes()) for path in one.reports_folder.rglob("*.dcm")]
    assert len(found) == 2 and all(report.observer.is_device for report in found)
    again = CliRunner().invoke(cli, ["publish", "--all"])
    assert "0 reports stored" in again.output and "already say the same" in again.output


def test_all_but_the_locked_ones(one: Desk) -> None:
    with one.project.transaction() as session:
        find_study(session, one.study).patient.split = Split.VALIDATION
    answer = CliRunner().invoke(cli, ["publish", "--all"])
    assert "0 reports stored" in answer.output and "1 studies of validation and test" in answer.output
    refused = CliRunner().invoke(cli, ["publish", "--study", one.study])
    assert isinstance(refused.exception, ForbiddenError)
    assert one.rows() == []


def test_after_a_rollback_the_champion_is_published(one: Desk) -> None:
    """Where it has not read the study, those that read it last."""
    one.read_by("newer", (0.0, 0.0, 1.0, 0.0))
    champion, last = model_key("quick-1", "quick-1"), model_key("newer", "newer")
    assert _published(one, "quick-1") == {champion}
    assert _published(one, "reads nothing") == {champion, last}


def _published(at: Desk, serving: str) -> set[str]:
    """Whose reports are in the outbox when ``serving`` has been made the champion and publishes."""
    at.serve(serving)
    queue_study(at.project, at.study)
    queue_all(at.project)
    return {row.author for row in at.rows()}


def test_what_is_not_there_is_said(one: Desk) -> None:
    for words, error in (
        (["--study", "1.2.3"], NotFoundError),
        ([], InputError),
        (["--all", "--study", "1.2.3"], InputError),
        (["--all", "--archive", "orthanc"], InputError),
    ):
        assert isinstance(CliRunner().invoke(cli, ["publish", *words]).exception, error)


def test_what_is_refused_is_said_with_the_reason(one: Desk) -> None:
    for file in one.files:
        file.unlink()
    answer = CliRunner().invoke(cli, ["publish", "--all"])
    assert isinstance(answer.exception, InputError) and "2 reports were refused" in str(answer.exception)
    assert "2 reports were refused: " in answer.output
    assert "ingest the study again" in " ".join(answer.output.split())


def test_an_archive_that_is_not_there_keeps_the_reports_for_the_next_time(one: Desk) -> None:
    answer = CliRunner().invoke(cli, ["publish", "--all", "--archive", "http://127.0.0.1:9/dicom-web"])
    assert isinstance(answer.exception, RemoteError) and "next publish" in str(answer.exception)
    assert {row.state for row in one.rows()} == {ReportState.WAITING}
    assert one.rows()[0].attempts == 1 and "127.0.0.1" in one.rows()[0].last_error
