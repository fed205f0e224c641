"""The reading desk: who gets which level, how long it is kept, and what becomes of the answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from shutil import copytree
from typing import Any

import httpx
import pytest
from server.conftest import PATIENTS
from server.readers import Reader, Task, answer, new_user, read_of, signed_in
from server.running import RunningServer, running
from server.studies import LEVELS, QuickPipeline, image_id, study_uid
from sqlalchemy import select, update

from spine_fracture.cohort.columns import now
from spine_fracture.cohort.desk import Lease
from spine_fracture.cohort.models import Read, ReadMode
from spine_fracture.cohort.people import Role
from spine_fracture.cohort.states import ReadState
from spine_fracture.server.dicomweb.pictures import Pictures

ALL = len(PATIENTS) * len(LEVELS)


@pytest.fixture
def server(tmp_path: Path, read_home: Path) -> Iterator[RunningServer]:
    copytree(read_home, tmp_path / "home")
    with running(tmp_path / "home", None, QuickPipeline()) as found:
        yield found


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory, read_home: Path) -> Iterator[RunningServer]:
    """For requests that change nothing."""
    home = tmp_path_factory.mktemp("unchanged") / "home"
    copytree(read_home, home)
    with running(home, None, QuickPipeline()) as found:
        yield found


@pytest.fixture(scope="module")
def task(unchanged: RunningServer) -> tuple[Reader, Task]:
    reader = signed_in(unchanged, "reader-1")
    return reader, reader.next()


@pytest.fixture
def first(server: RunningServer) -> Reader:
    return signed_in(server, "reader-1")


@pytest.fixture
def second(server: RunningServer) -> Reader:
    return signed_in(server, "reader-2")


def refused(response: httpx.Response, status: int, says: str) -> None:
    assert response.status_code == status, response.text
    assert says in response.json()["detail"]


def run_out(server: RunningServer, level_id: int) -> None:
    """Let the time of whoever has this level end."""
    with server.room.project.transaction() as session:
        past = now() - timedelta(seconds=1)
        session.execute(update(Lease).where(Lease.level_id == level_id).values(expires=past))


def stored(server: RunningServer, level_id: int) -> list[tuple[str, str, str, str]]:
    with server.room.project.session() as session:
        rows = session.scalars(select(Read).where(Read.level_id == level_id).order_by(Read.id))
        return [(row.reader, row.diagnosis.value, row.mode.value, row.state.value) for row in rows]


def answer_next(reader: Reader, diagnosis: str) -> Task:
    task = reader.next()
    answer(reader.submit(task, diagnosis))
    return task


def test_however_many_ask_at_once_each_gets_another_level(first: Reader, second: Reader) -> None:
    seats = [reader.at(f"window-{n}") for reader in (first, second) for n in range(6)]
    with ThreadPoolExecutor(len(seats)) as pool:
        tasks = list(pool.map(lambda seat: seat.next(), seats))
    assert len({task["level_id"] for task in tasks}) == len(seats)


def test_a_task_says_what_to_hang_and_where_to_open(first: Reader) -> None:
    task = first.next()
    assert task["name"] in LEVELS
    assert [series["role"] for series in task["series"]] == ["t1", "t2"]
    assert [level["name"] for level in task["levels"]] == list(LEVELS)
    (view,) = task["views"]
    boxes = next(level for level in task["levels"] if level["id"] == task["level_id"])["boxes"]
    assert view in boxes
    assert view["series"] in [series["uid"] for series in task["series"]]
    assert view["sop"]
    assert (task["lease_seconds"], task["draft"], task["reads"]) == (900, None, [])
    assert {"T13", "L6"} <= set(task["names"])
    assert task["progress"] == {"session": 0, "mine": 0, "left": ALL, "waiting_reports": 0}


def test_a_window_gets_its_level_again_and_keeps_it(first: Reader, second: Reader) -> None:
    task = first.next()
    again = first.next()
    assert again["level_id"] == task["level_id"]
    assert again["expires"] > task["expires"]
    renewed = answer(first.post(f"leases/{task['level_id']}/renew"))
    assert renewed["expires"] > again["expires"]
    refused(second.post(f"leases/{task['level_id']}/renew"), 409, "no longer kept for you")
    assert first.next("blinded")["mode"] == "blinded"


def test_a_window_that_closes_gives_its_level_back(first: Reader, second: Reader) -> None:
    task = first.next()
    refused(second.post("next", level_id=task["level_id"]), 409, "Another reader has this level")
    # As navigator.sendBeacon sends it: plain text and no header of ours.
    beacon = httpx.post(
        str(first.web.base_url.join("/review/leases/release")),
        content=json.dumps({"tab": first.tab}),
        headers={"Content-Type": "text/plain"},
        cookies=dict(first.web.cookies),
    )
    assert beacon.status_code == 200
    assert second.next(level_id=task["level_id"])["level_id"] == task["level_id"]
    broken = first.web.post("/review/leases/release", content="tab")
    refused(broken, 422, "tab")


def test_a_read_is_kept_when_the_time_has_run_out(
    server: RunningServer, first: Reader, second: Reader
) -> None:
    task = first.next()
    run_out(server, task["level_id"])
    other = second.next(level_id=task["level_id"])
    kept = answer(first.submit(task, "malignant"))
    assert "lies before somebody else" in kept["notes"][0]
    late = answer(second.submit(other, "normal"))
    assert "finished this level meanwhile" in late["notes"][0]
    found = stored(server, task["level_id"])
    assert [(reader, said) for reader, said, *_ in found] == [
        ("reader-1", "malignant"),
        ("reader-2", "normal"),
    ]
    assert {state for *_, state in found} == {"submitted"}


def test_a_read_is_kept_when_the_level_was_removed_or_finished(
    server: RunningServer, first: Reader, second: Reader
) -> None:
    task = first.next()
    run_out(server, task["level_id"])
    answer(second.post(f"levels/{task['level_id']}/remove"))
    kept = answer(first.submit(task))
    assert "removed from the study meanwhile" in kept["notes"][0]
    assert len(stored(server, task["level_id"])) == 1


def test_sending_twice_stores_once(server: RunningServer, first: Reader) -> None:
    task = first.next()
    read = read_of(task, "hemangioma", note="a note", basis="biopsy", features=["nodular_lesion"])
    once, twice = (answer(first.post("reads", **read)) for _ in range(2))
    assert once["read"] == twice["read"]
    assert once["read"]["features"] == ["nodular_lesion"]
    assert (once["read"]["note"], once["read"]["basis"]) == ("a note", "biopsy")
    assert len(stored(server, task["level_id"])) == 1
    assert once["progress"] == {"session": 1, "mine": 1, "left": ALL - 1, "waiting_reports": 2}
    refused(first.post("reads", **(read | {"diagnosis": "normal"})), 409, "token")


def test_the_box_and_the_name_that_the_reader_left_are_kept(server: RunningServer, first: Reader) -> None:
    task = first.next()
    box = task["views"][0] | {"box": [20.25, 30.5, 44.75, 60.0]}
    read = answer(first.submit(task, "normal", box=box, name="L6"))["read"]
    assert (read["box"], read["name"]) == (box, "L6")


def test_the_slice_of_a_box_is_the_one_with_the_uid(server: RunningServer, first: Reader) -> None:
    """A viewer may count slices from the other side."""
    task = first.next()
    view = task["views"][0]
    counted_otherwise = view | {"slice": 4 - view["slice"] + 1, "box": [20.0, 20.0, 40.0, 40.0]}
    read = answer(first.submit(task, "normal", box=counted_otherwise))["read"]
    assert (read["box"]["slice"], read["box"]["sop"]) == (view["slice"], view["sop"])


def test_the_last_answer_can_be_taken_back(server: RunningServer, first: Reader, second: Reader) -> None:
    refused(first.post("undo"), 404, "nothing to take back")
    task = first.next()
    answer(first.submit(task, "malignant", note="typed with care"))
    assert first.next()["level_id"] != task["level_id"]
    refused(first.at("another window").post("undo"), 404, "nothing to take back")
    refused(second.post("undo"), 404, "nothing to take back")
    back = answer(first.post("undo"))
    assert (back["level_id"], back["mode"]) == (task["level_id"], task["mode"])
    assert (back["draft"]["diagnosis"], back["draft"]["note"]) == ("malignant", "typed with care")
    assert back["progress"]["mine"] == 0
    assert stored(server, task["level_id"])[0][-1] == ReadState.WITHDRAWN
    answer(first.submit(back, "normal"))
    assert [row[-1] for row in stored(server, task["level_id"])] == ["withdrawn", "submitted"]


def test_an_undo_whose_answer_was_lost_takes_nothing_more_back(server: RunningServer, first: Reader) -> None:
    one, two = (answer_next(first, diagnosis) for diagnosis in ("malignant", "normal"))
    shown = first.next()["level_id"]
    for _ in range(2):  # the window still shows what it showed when the first answer was lost
        back = answer(first.post("undo", level_id=shown))
        assert (back["level_id"], back["draft"]["diagnosis"]) == (two["level_id"], "normal")
    assert stored(server, one["level_id"])[0][-1] == "submitted"
    assert first.next()["draft"]["diagnosis"] == "normal"  # a page that goes on instead
    further = answer(first.post("undo", level_id=two["level_id"]))
    assert (further["level_id"], further["draft"]["diagnosis"]) == (one["level_id"], "malignant")


def test_a_read_that_was_taken_back_is_not_acknowledged_again(server: RunningServer, first: Reader) -> None:
    task = first.next()
    read = read_of(task, "malignant")
    answer(first.post("reads", **read))
    answer(first.post("undo", level_id=None))
    refused(first.post("reads", **read), 409, "taken back meanwhile")
    answer(first.submit(task, "malignant"))
    assert [row[-1] for row in stored(server, task["level_id"])] == ["withdrawn", "submitted"]


def test_what_somebody_else_has_by_now_is_not_taken_back(
    server: RunningServer, first: Reader, second: Reader
) -> None:
    task = first.next()
    answer(first.submit(task))
    second.next(level_id=task["level_id"])
    refused(first.post("undo"), 409, "Another reader has this level")
    assert stored(server, task["level_id"])[0][-1] == "submitted"


def test_a_skipped_level_comes_to_others_and_not_again(first: Reader, second: Reader) -> None:
    task = first.next()
    refused(first.post("skips", level_id=task["level_id"], reason="other", note=""), 422, "why")
    refused(first.post("skips", level_id=task["level_id"], reason="bored", note=""), 422, "reason")
    left = answer(first.post("skips", level_id=task["level_id"], reason="poor_quality", note=""))
    assert left["progress"]["left"] == ALL - 1
    mine = [first.at(str(n)).next()["level_id"] for n in range(ALL - 1)]
    assert task["level_id"] not in mine
    assert first.at("last").next()["done"]
    assert second.next()["level_id"] == task["level_id"]


def test_what_comes_next_is_told_without_saying_why(first: Reader) -> None:
    task = first.next()
    coming = answer(first.post("upcoming", list="assisted", count=3))["items"]
    assert len(coming) == 3
    assert all(set(item) == {"study", "series", "views"} for item in coming)
    assert all(len(item["series"]) == 2 for item in coming)
    answer(first.submit(task))
    after = first.next()
    assert (after["study"], after["views"]) == (coming[0]["study"], coming[0]["views"])


def test_a_study_is_opened_at_its_first_unread_level(first: Reader) -> None:
    study = study_uid(PATIENTS[2])
    for name in LEVELS:
        task = first.next(study=study)
        assert (task["study"], task["name"]) == (study, name)
        answer(first.submit(task))
    again = first.next(study=study)
    assert again["name"] == LEVELS[0]
    assert [read["reader"] for read in again["reads"]] == ["reader-1"]
    refused(first.post("next", study="1.2.3"), 404, "no study")


def test_a_link_opens_a_new_window(first: Reader) -> None:
    sent = first.web.get("/review/start?list=assisted")
    assert sent.status_code == 303
    asked = httpx.URL(sent.headers["location"])
    assert asked.path == "/viewer/review"
    task = first.at(asked.params["tab"]).next()
    assert (task["study"], task["list"]) == (asked.params["StudyInstanceUIDs"], asked.params["list"])
    chosen = httpx.URL(first.web.get(f"/review/start?level={task['level_id'] + 1}").headers["location"])
    assert first.at(chosen.params["tab"]).next()["level_id"] == task["level_id"] + 1
    assert first.web.get("/review/start?list=nothing").status_code == 422
    assert first.web.get("/review/start?list=second").headers["location"] == "/?empty=second"
    assert "No level waits for a second read" in first.web.get("/?empty=second").text


def test_a_link_to_a_level_that_somebody_holds_leads_back(first: Reader, second: Reader) -> None:
    held = first.next()["level_id"]
    sent = second.web.get(f"/review/start?level={held}")
    assert (sent.status_code, sent.headers["location"]) == (303, "/?held=true")
    assert "lies before somebody else" in second.web.get("/?held=true").text


def test_a_link_that_one_may_not_follow_leads_back(server: RunningServer, first: Reader) -> None:
    level_id = first.next()["level_id"]
    new_user(server, "decider", (Role.ADJUDICATOR,))
    for reader, link in ((signed_in(server, "decider"), f"level={level_id}"), (first, "level=99999")):
        sent = reader.web.get(f"/review/start?{link}")
        assert (sent.status_code, sent.headers["location"]) == (303, "/?held=true")


def test_readers_change_the_levels_of_a_study(server: RunningServer, first: Reader) -> None:
    task = first.next(study=study_uid(PATIENTS[0]))
    up = answer(first.shift(task))["levels"]
    assert [level["name"] for level in up] == ["T12", "L1", "L2", "L3", "L4"]
    refused(first.submit(task), 409, "changed while you were reading")
    gone = answer(first.post(f"levels/{up[-1]['id']}/remove"))["levels"]
    assert [level["name"] for level in gone] == ["T12", "L1", "L2", "L3"]
    box = {"series": image_id(PATIENTS[0]), "sop": "", "slice": 2, "box": [20, 76, 44, 90]}
    drawn = answer(first.post("levels", study=task["study"], name="L6", **box))["levels"]
    assert [(lv["name"], lv["source"]) for lv in drawn][-1] == ("L6", "reader")
    refused(first.post("levels", study=task["study"], name="L6", **box), 409, "L6")
    outside = box | {"box": [100, 100, 120, 120]}
    assert first.post("levels", study=task["study"], name="L5", **outside).status_code == 422
    task = first.next(level_id=drawn[-1]["id"])
    assert (task["name"], task["opinion"]) == ("L6", None)
    answer(first.submit(task, "malignant"))


def test_names_move_once_however_often_that_is_sent(first: Reader) -> None:
    task = first.next(study=study_uid(PATIENTS[0]))
    assert next(level["name"] for level in answer(first.shift(task))["levels"]) == "T12"
    refused(first.shift(task), 409, "changed meanwhile")
    assert first.next(level_id=task["level_id"])["levels"][0]["name"] == "T12"
    elsewhere = task | {"study": study_uid(PATIENTS[1])}
    refused(first.shift(elsewhere), 409, "changed meanwhile")


def test_after_names_moved_the_last_answer_is_what_is_taken_back(
    server: RunningServer, first: Reader
) -> None:
    study = study_uid(PATIENTS[0])
    upper, lower = (level["id"] for level in first.next(study=study)["levels"][1:3])
    for level_id in (lower, upper):
        answer(first.submit(first.next(level_id=level_id), "malignant"))
    answer(first.shift(first.next(study=study)))
    back = answer(first.post("undo"))
    assert (back["level_id"], back["name"], back["draft"]["name"]) == (upper, "L1", "L1")
    with server.room.project.session() as session:
        reads = session.scalars(select(Read).where(Read.level_id.in_([upper, lower])))
        standing = [(read.level_id, read.name_given) for read in reads if read.state == "submitted"]
    assert standing == [(lower, "L2")]  # no read stands that has an old name


def test_another_who_signed_in_meanwhile_answers_nothing_for_the_first(
    server: RunningServer, first: Reader
) -> None:
    task = first.next()
    first.web.headers["X-Reading-User"] = "reader-2"
    refused(first.submit(task), 401, "Somebody else has signed in")
    assert stored(server, task["level_id"]) == []
    first.web.headers["X-Reading-User"] = "reader-1"
    answer(first.submit(task))


def test_a_level_is_not_removed_under_the_eyes_of_another(first: Reader, second: Reader) -> None:
    task = first.next()
    refused(second.post(f"levels/{task['level_id']}/remove"), 409, "Another reader has this level")


@pytest.mark.parametrize(
    ("said", "status", "says"),
    [
        ({"box": {"slice": 1, "box": [30, 30, 30, 40]}}, 422, "area"),
        ({"box": {"slice": 1, "box": [40, 30, 30, 40]}}, 422, "area"),
        ({"box": {"slice": 1, "box": [200, 200, 240, 240]}}, 422, "outside"),
        ({"box": {"slice": 99, "sop": "", "box": [20, 20, 40, 40]}}, 422, "slice 99"),
        ({"box": {"slice": 1, "series": "1.2.3", "box": [20, 20, 40, 40]}}, 404, "series"),
        ({"box": {"slice": 1, "sop": "1.2.3", "box": [20, 20, 40, 40]}}, 404, "slice"),
        ({"features": ["no_collapse", "anterior_wedge"]}, 422, "collapse"),
        ({"features": ["pretty"]}, 422, "features"),
        ({"confidence": 6}, 422, "confidence"),
        ({"seconds": -1}, 422, "time spent"),
        ({"note": "x" * 3000}, 422, "note"),
        ({"basis": "rumour"}, 422, "basis"),
        ({"name": "L9"}, 422, "not a vertebral level"),
        ({"reader": "reader-2"}, 422, "reader"),
        ({"mode": "blinded"}, 422, "mode"),
        ({"level_id": 99999}, 404, "no level"),
        ({"level_version": 99}, 409, "changed while you were reading"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(
    unchanged: RunningServer, task: tuple[Reader, Task], said: dict[str, Any], status: int, says: str
) -> None:
    reader, shown = task
    if "box" in said:
        said = {"box": shown["views"][0] | said["box"]}
    refused(reader.submit(shown, **said), status, says)
    assert stored(unchanged, shown["level_id"]) == []


def test_an_older_page_is_told_to_reload(first: Reader) -> None:
    task = first.next()
    for version in ("0", ""):
        first.web.headers["X-Reading-Client"] = version
        refused(first.submit(task), 409, "reload it")
    assert first.web.get("/review/me").json()["client"] == "2"


def test_help_makes_a_read_assisted_and_no_client_decides(server: RunningServer, first: Reader) -> None:
    modes, studies = {}, {}
    for _ in range(ALL):
        task = first.next()
        modes[task["level_id"]], studies[task["level_id"]] = task["mode"], task["study"]
        assert (task["opinion"] is None) == (task["mode"] == "blinded")
        answer(first.submit(task))
    assert first.next()["done"]
    assert set(modes.values()) == {"assisted", "blinded"}
    for level_id, mode in modes.items():
        assert stored(server, level_id)[0][2] == mode
    seen = next(level_id for level_id, mode in modes.items() if mode == ReadMode.BLINDED)
    shown = first.web.post("/infer/fracture_classification", params={"image": studies[seen]})
    assert shown.status_code == 200
    assert first.next(level_id=seen)["mode"] == "assisted"


def test_what_another_has_read_only_an_adjudicator_removes(
    server: RunningServer, first: Reader, second: Reader
) -> None:
    task = first.next()
    answer(first.submit(task))
    refused(second.post(f"levels/{task['level_id']}/remove"), 409, "only an adjudicator")
    chief = signed_in(server, "chief")
    answer(chief.post(f"levels/{task['level_id']}/remove"))


def test_a_removal_can_be_taken_back_by_who_did_it(first: Reader, second: Reader) -> None:
    task = first.next()
    remove = f"levels/{task['level_id']}"
    before = [level["id"] for level in task["levels"]]
    assert task["level_id"] not in [lv["id"] for lv in answer(first.post(f"{remove}/remove"))["levels"]]
    refused(second.post(f"{remove}/restore"), 409, "did not remove")
    assert [level["id"] for level in answer(first.post(f"{remove}/restore"))["levels"]] == before
    answer(first.submit(first.next(level_id=task["level_id"])))


def test_names_do_not_move_under_the_eyes_of_another(first: Reader, second: Reader) -> None:
    task = first.next()
    refused(second.shift(task), 409, "Another reader has")
    first.post("leases/release")
    answer(second.shift(task))


def test_a_page_that_is_loaded_again_says_the_same(first: Reader) -> None:
    task = first.next()
    while task["mode"] == "blinded":
        answer(first.submit(task))
        task = first.next()
    first.post("leases/release")
    again = first.next(level_id=task["level_id"])
    assert (again["why"], again["mode"]) == (task["why"], "assisted")


def test_what_is_computed_from_pictures_is_not_hung(
    server: RunningServer, first: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = study_uid(PATIENTS[0])
    hung = [series["uid"] for series in first.next(study=study)["series"]]
    monkeypatch.setattr(Pictures, "is_picture", lambda self, series: series.uid != hung[0])
    assert [series["uid"] for series in first.next(study=study)["series"]] == hung[1:]
