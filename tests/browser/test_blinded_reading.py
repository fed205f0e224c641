"""Blinded means blinded: nothing that reaches the browser says what models or others think."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser.conftest import Serve
from browser.made_cohort import LOCKED, PLAIN, study_uid
from browser.people import OTHER_READER, READER, sign_in
from browser.records import Records, eventually
from browser.serving import Server
from browser.windows import RoomWindow, Windows
from orthanc.archive_process import Orthanc
from playwright.sync_api import BrowserContext, Route, expect

from spine_fracture.anatomy import Diagnosis
from spine_fracture.cohort.models import ReadMode
from spine_fracture.cohort.people import Role

#: The program of the page is the same for everybody: what it knows of classes is no prediction.
PROGRAM = re.compile(r"/ohif-spine/|\.(js|css|wasm|woff2?|svg|ico|png|ttf)(\?|$)")
CLASS_WORDS = re.compile("|".join(sorted({*Diagnosis} - {Diagnosis.NORMAL, Diagnosis.OTHER})))
SECRETS = re.compile(
    r"probabilit\w+\W+[\[{]|entropy|disagree|uncertainty\W+\d|detector_version|classifier_version"
    r"|\"reasons\"\W+\[\W*\"|malignan|benign.fracture|emangioma|neoplas|Structured Report",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def server(serve_archive: Serve) -> Iterator[Server]:
    people = {READER: [Role.READER], OTHER_READER: [Role.READER]}
    yield serve_archive("single", people)


class Wire:
    """Everything that comes to a person's windows from the server."""

    def __init__(self, person: BrowserContext) -> None:
        self.bodies: list[tuple[str, bytes]] = []
        person.route("**/*", self._pass)
        person.on("page", lambda page: page.on("websocket", self._listen))

    def _pass(self, route: Route) -> None:
        if PROGRAM.search(route.request.url):
            route.continue_()
            return
        answer = route.fetch(max_redirects=0)
        self.bodies.append((route.request.url, answer.body()))
        self.bodies.append((f"headers of {route.request.url}", json.dumps(answer.headers).encode()))
        route.fulfill(response=answer)

    def _listen(self, socket: object) -> None:
        socket.on("framereceived", lambda frame: self.bodies.append(("websocket", bytes(frame, "utf-8"))))

    def text(self) -> Iterator[tuple[str, str]]:
        for url, body in self.bodies:
            yield url, body.decode("latin-1")


def told(wire: Wire, numbers: set[str]) -> list[str]:
    """Where something was said that a blinded reader is not to know."""
    found = []
    for url, text in wire.text():
        if "/frames/" in url:
            continue
        for pattern in (SECRETS, CLASS_WORDS):
            found += [f"{match.group()} in {url}" for match in pattern.finditer(text)]
        found += [f"{number} in {url}" for number in numbers if number in text]
    return found


def test_nothing_is_leaked(server: Server, windows: Windows, filled_archive: Orthanc) -> None:
    records = Records(server.plan.home)
    windows.expect_complaint("403|404|request failed|no such series or picture now")
    _let_somebody_report(server, records, windows)
    studies = (study_uid(PLAIN), study_uid(LOCKED))
    numbers = {
        str(p)[1:11] for study in studies for row in records.predictions(study) for p in row if p > 1e-3
    }
    reader = windows.person()
    sign_in(reader, server.url, READER)
    wire = Wire(reader)
    room = windows.room(f"{server.url}/review/start?list=blinded&study={studies[0]}", reader)
    assert (room.task["mode"], room.task["why"], room.task["opinion"]) == ("blinded", "next level", None)
    expect(room.part("opinion")).to_be_hidden()
    room.screenshot("reading-blinded")
    _try_everything(room, studies)
    _read_on(room, 4)
    assert len(wire.bodies) > 60
    assert not told(wire, numbers), told(wire, numbers)[:10]
    # The same search finds it all where it is not blinded.
    level = records.unread(studies[0], ReadMode.ASSISTED, OTHER_READER)
    other = windows.person()
    sign_in(other, server.url, OTHER_READER)
    seeing = Wire(other)
    windows.room(f"{server.url}/review/start?list=assisted&level={level}", other)
    assert len(told(seeing, numbers)) > 5


def _let_somebody_report(server: Server, records: Records, windows: Windows) -> None:
    """A read of the same study by somebody else, in the archive as a report."""
    other = windows.person()
    sign_in(other, server.url, OTHER_READER)
    level = records.unread(study_uid(PLAIN), ReadMode.ASSISTED, OTHER_READER)
    room = windows.room(f"{server.url}/review/start?list=assisted&level={level}", other)
    room.press("3", "t", "Enter")
    room.after(level).page.close()
    eventually(lambda: any(state == "stored" for _, state in records.reports()))


def _try_everything(room: RoomWindow, studies: tuple[str, ...]) -> None:
    """What a curious reader may ask for by hand, with the session of the page."""
    level = room.task["level_id"]
    series = room.task["series"][0]["uid"]
    asked = [
        f"/review/levels/{level}/heatmap?series={series}&slice=3",
        f"/review/levels/{level}/similar",
        f"/datastore/label?label={series}&tag=final",
        f"/datastore/label/info?label={series}&tag=final",
        "/datastore/?output=all",
        "/dicom-web/studies?ModalitiesInStudy=SR",
        "/dicom-web/series?Modality=SR",
        "/dicom-web/instances?Modality=SR",
        "/",
    ]
    for study in studies:
        asked += [
            f"/dicom-web/studies/{study}/series",
            f"/dicom-web/studies/{study}/metadata",
            f"/dicom-web/studies/{study}/instances",
            f"/proxy/dicom/qido/studies/{study}/series",
        ]
    fetch = (
        "([path, method]) => fetch(path, {method}).then(answer => answer.text().then(() => answer.status))"
    )
    room.page.evaluate("Promise.resolve()")
    statuses = {path: room.page.evaluate(fetch, [path, "GET"]) for path in asked}
    statuses |= {
        path: room.page.evaluate(fetch, [path, "POST"])
        for path in (
            f"/infer/vertebra_detection?image={series}",
            f"/infer/fracture_classification?image={series}",
            "/activelearning/uncertainty",
        )
    }
    assert statuses[f"/review/levels/{level}/heatmap?series={series}&slice=3"] == 403
    assert statuses[f"/infer/vertebra_detection?image={series}"] == 403
    assert statuses["/dicom-web/series?Modality=SR"] in (200, 204)


def _read_on(room: RoomWindow, levels: int) -> None:
    for _ in range(levels):
        level = room.task["level_id"]
        room.press("s", "h", "m", "1", "w", "Enter")
        room.after(level)
        assert room.task["mode"] == "blinded"


def test_a_locked_patient_is_never_read_with_help(server: Server, windows: Windows, tmp_path: Path) -> None:
    reader = windows.person()
    sign_in(reader, server.url, READER)
    room = windows.room(f"{server.url}/review/start?list=assisted&study={study_uid(LOCKED)}", reader)
    assert (room.task["mode"], room.task["opinion"]) == ("blinded", None)
