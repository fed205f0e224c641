"""The server is killed while somebody reads: nothing that was typed is lost, and nothing is stored twice."""

from __future__ import annotations

import re

from browser.conftest import Serve
from browser.made_cohort import PLAIN, study_uid
from browser.records import Records, eventually
from browser.windows import Windows
from playwright.sync_api import expect

#: Pictures that were on their way ahead of time: the viewer says so in its console.
AWAY = "ERR_CONNECTION|ERR_EMPTY_RESPONSE|request failed|Failed to fetch|^null |IMAGE_LOAD_FAILED"


def test_a_killed_server(serve_folder: Serve, windows: Windows) -> None:
    windows.expect_complaint(AWAY)
    server = serve_folder()
    records = Records(server.plan.home)
    level = records.unread(study_uid(PLAIN))
    room = windows.room(f"{server.url}/review/start?list=assisted&level={level}")
    task = room.task
    room.press("2", "Shift+C", "e", "c")
    room.page.keyboard.type("typed before the server went")
    room.press("Escape")
    server.kill()

    room.press("c")
    room.page.keyboard.type(", and after")
    room.press("Control+Enter")
    room.says("No connection to the server", "connection-banner")
    room.says("kept here and sent", "connection-banner")
    room.screenshot("reading-no-connection")
    assert not records.reads(level)

    server.start()
    room.after(level)
    expect(room.part("connection-banner")).to_be_hidden()
    (read,) = records.reads(level)
    assert read.note.replace(", and after", "") == "typed before the server went"
    assert (len(read.note), read.diagnosis, read.confidence) == (39, "benign_fracture", 3)
    assert read.name == task["name"]


def test_a_page_closed_without_a_server_goes_on_in_another(serve_folder: Serve, windows: Windows) -> None:
    """The browser is closed while the server is away; what waited is sent by the next window."""
    windows.expect_complaint(AWAY)
    server = serve_folder()
    records = Records(server.plan.home)
    reader = windows.person()
    level = records.unread(study_uid(PLAIN))
    room = windows.room(f"{server.url}/review/start?list=assisted&level={level}", reader)
    server.kill()
    room.press("6", "w", "Enter")
    room.says("No connection", "connection-banner")
    room.page.close()
    server.start()
    another = windows.room(f"{server.url}/review/start?list=assisted", reader)
    (read,) = eventually(lambda: records.reads(level))
    assert (read.diagnosis, read.confidence) == ("indeterminate", 2)
    assert another.state["waiting"] == 0


def test_pictures_that_did_not_come_are_fetched_later(serve_folder: Serve, windows: Windows) -> None:
    """The network fails for the pictures of the next studies alone: they are not taken for deleted."""
    windows.expect_complaint(f"{AWAY}|ERR_FAILED")
    server = serve_folder()
    reader = windows.person()
    others = re.compile(rf"/dicom-web/studies/(?!{re.escape(study_uid(PLAIN))}[/?])")
    reader.route(others, lambda route: route.abort())
    level = Records(server.plan.home).unread(study_uid(PLAIN))
    room = windows.room(f"{server.url}/review/start?list=assisted&level={level}", reader)
    while room.task["study"] == study_uid(PLAIN):
        here = room.task["level_id"]
        room.press("1", "t", "Enter")
        room.after(here)
    room.says("could not be fetched")
    assert not room.shown() or all(one.box is None for one in room.shown())

    reader.unroute(others)
    room.press("Space")
    room.page.wait_for_function("window.spineReading.shown().some(one => one.boxes.some(box => box.current))")
    room.ready()
    hung = {series["uid"] for series in room.task["series"][:2]}
    assert {one.series for one in room.shown()} == hung
