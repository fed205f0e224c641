"""Several people at once: nobody gets another's level, nobody sees another's read, one decides."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import pytest
from browser.conftest import Serve
from browser.made_cohort import PLAIN, study_uid
from browser.people import ADJUDICATOR, OTHER_READER, PASSWORD, READER, sign_in
from browser.records import Records
from browser.serving import Server
from browser.windows import RoomWindow, Windows, screenshot
from playwright.sync_api import BrowserContext, expect

from spine_fracture.cohort.models import ReadMode
from spine_fracture.cohort.people import Role

PEOPLE = {
    READER: [Role.READER],
    OTHER_READER: [Role.READER],
    ADJUDICATOR: [Role.READER, Role.ADJUDICATOR, Role.DATA_MANAGER, Role.ENGINEER],
}


@dataclass(eq=False)
class Place:
    """Signed-in people at a server where each level is read twice."""

    server: Server
    windows: Windows

    @cached_property
    def records(self) -> Records:
        return Records(self.server.plan.home)

    def person(self, name: str) -> BrowserContext:
        context = self.windows.person()
        sign_in(context, self.server.url, name)
        return context

    def room(self, person: BrowserContext, **query: object) -> RoomWindow:
        asked = "&".join(f"{key}={value}" for key, value in query.items())
        return self.windows.room(f"{self.server.url}/review/start?{asked}", person)


@pytest.fixture(scope="module")
def server(serve_folder: Serve) -> Server:
    return serve_folder("double", PEOPLE)


@pytest.fixture
def place(server: Server, windows: Windows) -> Place:
    return Place(server, windows)


def test_signing_in(place: Place) -> None:
    place.windows.expect_complaint("401")
    page = place.windows.page(f"{place.server.url}/")
    expect(page).to_have_url(re.compile("/sign-in"))
    screenshot(page, place.windows.screenshots, "sign-in")
    page.get_by_label("Name").fill(READER)
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("body")).to_contain_text("do not fit")
    page.get_by_label("Name").fill(READER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{place.server.url}/")
    expect(page.locator("body")).to_contain_text(READER)
    screenshot(page, place.windows.screenshots, "landing")


def test_two_browsers_never_get_the_same_level(place: Place) -> None:
    one, other = place.person(READER), place.person(OTHER_READER)
    rooms = [place.room(person, list="assisted") for person in (one, one, other)]
    seen = [room.task["level_id"] for room in rooms]
    assert len(set(seen)) == 3
    rooms[2].press("1", "t", "Enter")
    rooms[2].after(seen[2])
    assert rooms[2].task["level_id"] not in seen
    for room in rooms:
        room.page.close()


def test_two_readers_disagree_and_an_adjudicator_decides(place: Place) -> None:
    level = place.records.unread(study_uid(PLAIN), ReadMode.ASSISTED, READER)
    first = place.room(place.person(READER), list="assisted", level=level)
    first.press("2", "Shift+B", "e", "Enter")
    first.after(level).page.close()

    second = place.room(place.person(OTHER_READER), list="second")
    assert (second.task["level_id"], second.task["mode"], second.task["why"]) == (
        level,
        "blinded",
        "next level",
    )
    assert (second.task["opinion"], second.task["reads"]) == (None, [])
    second.press("3", "Shift+K", "r", "Enter")
    second.page.wait_for_function("['done', 'reading'].includes(window.spineReading.state.phase)")
    second.page.close()
    assert not place.records.reports()

    decider = place.person(ADJUDICATOR)
    page = place.windows.page(f"{place.server.url}/", decider)
    screenshot(page, place.windows.screenshots, "landing-adjudicator")
    page.close()
    deciding = place.room(decider, list="adjudication")
    assert (deciding.task["level_id"], deciding.task["mode"]) == (level, "adjudication")
    assert [read["reader"] for read in deciding.task["reads"]] == [READER, OTHER_READER]
    text = deciding.page.locator("vertebra-review, [data-testid=reads]").first.inner_text()
    assert "Benign fracture" in text and "Malignant" in text
    deciding.screenshot("reading-adjudication")
    deciding.press("3", "t", "Enter")
    deciding.page.wait_for_function("window.spineReading.state.phase === 'done'")
    assert [(read.reader, read.diagnosis, read.state) for read in place.records.reads(level)] == [
        (READER, "benign_fracture", "submitted"),
        (OTHER_READER, "malignant", "submitted"),
        (ADJUDICATOR, "malignant", "adjudicated"),
    ]
    assert place.records.reports()
