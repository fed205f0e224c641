"""Two readers, blinded to each other, and one who decides between them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import pytest
from server.conftest import PATIENTS
from server.readers import Reader, answer, signed_in
from server.running import RunningServer, running
from server.studies import QuickPipeline, image_id, study_uid
from sqlalchemy import select

from spine_fracture.cohort.models import Read, StudyLevel
from spine_fracture.cohort.protocol import Need, load_protocol, need
from spine_fracture.cohort.reports import Report
from spine_fracture.cohort.shown import was_shown

STUDY = study_uid(PATIENTS[0])


@pytest.fixture
def server(tmp_path: Path, read_home: Path) -> Iterator[RunningServer]:
    copytree(read_home, tmp_path / "home")
    with running(tmp_path / "home", None, QuickPipeline(), "double") as found:
        yield found


@pytest.fixture
def first(server: RunningServer) -> Reader:
    return signed_in(server, "reader-1")


@pytest.fixture
def second(server: RunningServer) -> Reader:
    return signed_in(server, "reader-2")


@pytest.fixture
def decides(server: RunningServer) -> Reader:
    return signed_in(server, "adjudicator")


def needed(server: RunningServer, level_id: int) -> Need:
    with server.room.project.session() as session:
        return need(session.get_one(StudyLevel, level_id), load_protocol("double"))


def states(server: RunningServer, level_id: int) -> dict[str, str]:
    with server.room.project.session() as session:
        rows = session.scalars(select(Read).where(Read.level_id == level_id).order_by(Read.id))
        return {row.reader: row.state.value for row in rows}


def reported(server: RunningServer) -> set[str]:
    """Whose reports are on their way, or were stored."""
    with server.room.project.session() as session:
        return set(session.scalars(select(Report.author)))


def disputed(first: Reader, second: Reader) -> int:
    """A level that two readers answered differently."""
    task = first.next(study=STUDY)
    answer(first.submit(task, "malignant", note="seen by one"))
    other = second.next("second", level_id=task["level_id"])
    answer(second.submit(other, "benign_fracture", note="seen by two"))
    return int(task["level_id"])


def test_the_second_reader_gets_what_the_first_has_read_and_nothing_of_it(
    first: Reader, second: Reader
) -> None:
    assert second.next("second")["message"] == "No level waits for a second read of yours."
    task = first.next()
    answer(first.submit(task, "hemangioma", note="seen by one"))
    assert first.next("second")["done"]
    other = second.next("second")
    assert (other["level_id"], other["mode"], other["reads"]) == (task["level_id"], "blinded", [])
    assert "seen by one" not in str(other)
    assert answer(second.submit(other, "hemangioma"))["read"]["mode"] == "blinded"


def test_readers_who_agree_settle_a_level(server: RunningServer, first: Reader, second: Reader) -> None:
    task = first.next(study=STUDY)
    answer(first.submit(task, "malignant"))
    assert needed(server, task["level_id"]) is Need.SECOND_READ
    assert reported(server) == set()
    query = {"label": image_id(PATIENTS[0]), "tag": "final"}
    assert second.web.get("/datastore/label", params=query).status_code == 404
    answer(second.submit(second.next("second"), "malignant"))
    assert needed(server, task["level_id"]) is Need.NONE
    assert len(reported(server)) == 2
    shown = answer(second.web.get("/datastore/label", params=query))["reads"]
    assert {read["reader"] for read in shown} == {"reader-1", "reader-2"}


def test_who_decides_sees_both_reads_and_nothing_of_the_models(
    server: RunningServer, first: Reader, second: Reader, decides: Reader
) -> None:
    assert decides.next("adjudication")["message"] == "No level waits for a decision."
    level = disputed(first, second)
    assert needed(server, level) is Need.ADJUDICATION
    task = decides.next("adjudication")
    assert (task["level_id"], task["mode"], task["opinion"]) == (level, "adjudication", None)
    assert task["why"] == "the readers disagree"
    assert [(r["reader"], r["diagnosis"], r["note"]) for r in task["reads"]] == [
        ("reader-1", "malignant", "seen by one"),
        ("reader-2", "benign_fracture", "seen by two"),
    ]
    kept = answer(decides.submit(task, "malignant", basis="biopsy"))
    assert kept["progress"]["left"] == 0
    assert states(server, level) == {
        "reader-1": "submitted",
        "reader-2": "submitted",
        "adjudicator": "adjudicated",
    }
    assert needed(server, level) is Need.NONE
    assert reported(server)


def test_a_decision_can_be_taken_back_and_made_again(
    server: RunningServer, first: Reader, second: Reader, decides: Reader
) -> None:
    level = disputed(first, second)
    task = decides.next("adjudication")
    answer(decides.submit(task, "malignant"))
    back = answer(decides.post("undo"))
    assert (back["level_id"], back["mode"], len(back["reads"])) == (level, "adjudication", 2)
    assert back["draft"]["diagnosis"] == "malignant"
    assert needed(server, level) is Need.ADJUDICATION
    answer(decides.submit(back, "benign_fracture"))
    assert states(server, level)["adjudicator"] == "adjudicated"


def test_only_adjudicators_decide_and_not_on_what_they_read(
    server: RunningServer, first: Reader, second: Reader, decides: Reader
) -> None:
    level = disputed(first, second)
    for reader in (first, second):
        assert reader.post("next", list="adjudication").status_code == 403
    assert decides.post("next", list="assisted").status_code == 403
    agreed = first.next(study=study_uid(PATIENTS[1]))
    first.post("leases/release")
    response = decides.post("next", list="adjudication", level_id=agreed["level_id"])
    assert (response.status_code, "do not disagree" in response.text) == (409, True)
    chief = signed_in(server, "chief")
    own = chief.next(level_id=level)
    answer(chief.submit(own, "normal"))
    assert chief.next("adjudication")["done"]
    assert decides.next("adjudication")["level_id"] == level


def test_of_two_decisions_the_first_stands(
    server: RunningServer, first: Reader, second: Reader, decides: Reader
) -> None:
    level = disputed(first, second)
    task = decides.next("adjudication")
    decides.post("leases/release")
    chief = signed_in(server, "chief")
    answer(chief.submit(chief.next("adjudication"), "normal"))
    late = decides.submit(task, "malignant")
    assert (late.status_code, "decided already" in late.text) == (409, True)
    assert states(server, level)["chief"] == "adjudicated"
    assert "adjudicator" not in states(server, level)


def test_who_read_a_level_does_not_see_what_others_said_to_decide(
    first: Reader, second: Reader, server: RunningServer
) -> None:
    level = disputed(first, second)
    chief = signed_in(server, "chief")
    answer(chief.submit(chief.next(level_id=level), "normal"))
    response = chief.post("next", list="adjudication", level_id=level)
    assert (response.status_code, "read this level yourself" in response.text) == (409, True)


def test_who_saw_the_reads_to_decide_reads_blinded_no_more(
    first: Reader, second: Reader, server: RunningServer
) -> None:
    level = disputed(first, second)
    chief = signed_in(server, "chief")
    chief.next("adjudication", level_id=level)
    chief.post("leases/release")
    read = answer(chief.submit(chief.next("blinded", level_id=level), "normal"))["read"]
    assert read["mode"] == "assisted"


def test_who_got_the_labels_of_others_reads_blinded_no_more(first: Reader, server: RunningServer) -> None:
    task = first.next(study=STUDY)
    answer(first.submit(task))
    chief = signed_in(server, "chief")
    answer(chief.web.get("/datastore/label", params={"label": image_id(PATIENTS[0]), "tag": "final"}))
    read = answer(chief.submit(chief.next("blinded", level_id=task["level_id"])))["read"]
    assert read["mode"] == "assisted"


def test_a_sample_that_says_why_is_on_the_record(server: RunningServer) -> None:
    chief = signed_in(server, "chief")
    sample = answer(chief.web.post("/activelearning/uncertainty", json={}))
    with server.room.project.session() as session:
        shown = was_shown(session, session.get_one(StudyLevel, sample["level_id"]), "chief")
    assert shown == (sample["mode"] == "assisted")
