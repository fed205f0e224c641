"""The landing page: to each role what it needs, and nothing of what models say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import pytest
from server.conftest import PATIENTS
from server.readers import answer, signed_in
from server.running import RunningServer, running
from server.studies import LEVELS, QuickPipeline, study_uid

from spine_fracture.cohort.reports import ArrivalState, ReceivedReport, Report, ReportForm
from spine_fracture.cohort.studies import find_study

LEFT = f"{len(PATIENTS) * len(LEVELS)} <small>levels left</small>"


@pytest.fixture
def server(tmp_path: Path, read_home: Path) -> Iterator[RunningServer]:
    copytree(read_home, tmp_path / "home")
    with running(tmp_path / "home", None, QuickPipeline(), "double") as found:
        yield found


def test_each_role_finds_its_own_work(server: RunningServer) -> None:
    pages = {name: signed_in(server, name).web.get("/").text for name in ("reader-1", "adjudicator", "chief")}
    assert all("Not for clinical use" in page for page in pages.values())
    offered = {
        name: [
            title
            for title in ("Next levels", "Blinded", "Second reads", "Adjudication")
            if f">{title}<" in page
        ]
        for name, page in pages.items()
    }
    assert offered == {
        "reader-1": ["Next levels", "Blinded", "Second reads"],
        "adjudicator": ["Adjudication"],
        "chief": ["Next levels", "Blinded", "Second reads", "Adjudication"],
    }
    assert LEFT in pages["reader-1"]
    assert ["Test centre" in page for page in pages.values()] == [False, False, True]
    assert ["Last training" in page or "No training" in page for page in pages.values()] == [
        False,
        False,
        True,
    ]
    assert not any(word in page for page in pages.values() for word in ("T1 and T2 disagree", "0.65"))


def test_own_reads_are_listed_and_can_be_looked_at_again(server: RunningServer) -> None:
    reader = signed_in(server, "reader-1")
    task = reader.next()
    answer(reader.submit(task, "benign_fracture"))
    page = reader.web.get("/").text
    assert "benign fracture" in page
    assert f'href="/review/start?level={task["level_id"]}"' in page
    assert "benign fracture" not in signed_in(server, "reader-2").web.get("/").text


def test_what_is_stuck_or_was_not_understood_is_told(server: RunningServer) -> None:
    server.room.reports.close()
    with server.room.project.transaction() as session:
        study = find_study(session, study_uid(PATIENTS[0]))
        session.add(
            ReceivedReport(
                sop_uid="1.2.3",
                series_uid="1.2",
                study_uid=study.uid,
                author="another site",
                state=ArrivalState.UNMATCHED,
                reason="no level lies there",
                unmatched=["L9 <b>malignant</b>"],
            )
        )
        for number, attempts in enumerate((0, 3)):
            session.add(
                Report(
                    study=study,
                    author="reader:reader-1",
                    form=ReportForm.VIEWER,
                    series_uid=f"1.3.{number}",
                    sop_uid=f"1.4.{number}",
                    instance_number=1,
                    attempts=attempts,
                )
            )
    page = signed_in(server, "chief").web.get("/").text
    assert "1 report on reads could not be sent to the archive" in " ".join(page.split())
    assert "another site" in page
    assert "L9 &lt;b&gt;malignant&lt;/b&gt;" in page
    assert "another site" not in signed_in(server, "reader-1").web.get("/").text
