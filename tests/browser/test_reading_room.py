"""A specialist reads levels in stock OHIF with our extension, over a folder of studies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import numpy.typing as npt
import pytest
from browser.conftest import Serve
from browser.made_cohort import EXTRAS, PLAIN, WITHOUT_T2, MadeCohort, study_uid
from browser.pixel_maths import header_by_sop, to_pixels
from browser.records import Records, eventually
from browser.serving import Server
from browser.windows import RoomWindow, Windows, amber
from playwright.sync_api import Route, expect
from pydicom import dcmread

#: What a layout in the making does to a picture, for the time of some frames.
_WITHOUT_A_SIZE = """async () => {
    const frames = () => new Promise((done) => setTimeout(done, 300));
    const { viewport, renderingEngine } = window.cornerstone.getEnabledElements()[0];
    const { style } = viewport.element.parentElement;
    style.display = 'none';
    renderingEngine.resize(true, true);
    window.cornerstoneTools.utilities.triggerAnnotationRenderForViewportIds([viewport.id]);
    await frames();
    style.display = '';
    renderingEngine.resize(true, true);
    await frames();
}"""


@dataclass(frozen=True, eq=False)
class Place:
    """A server over the folder, its records, and windows to read in."""

    server: Server
    records: Records
    windows: Windows

    def open(self, seed: int = PLAIN) -> RoomWindow:
        """A window on a level of this patient that nobody has read, shown with what the models think."""
        level = self.records.unread(study_uid(seed))
        return self.windows.room(f"{self.server.url}/review/start?list=assisted&level={level}")


@pytest.fixture(scope="module")
def server(serve_folder: Serve) -> Server:
    return serve_folder()


@pytest.fixture
def place(server: Server, windows: Windows) -> Place:
    records = Records(server.plan.home)
    # A window that closes gives its level back, but what it last says may be lost on a slow machine.
    records.expire_leases()
    return Place(server, records, windows)


@pytest.fixture(scope="module")
def headers(cohort: MadeCohort) -> dict[str, Path]:
    return header_by_sop(cohort.folder)


def test_a_level_is_read_with_a_corner_moved(place: Place, headers: dict[str, Path]) -> None:
    room = place.open(EXTRAS)
    task, (left, right) = room.task, room.shown()
    assert task["mode"] == "assisted"
    assert [series["role"] for series in task["series"][:2]] == ["t1", "t2"]
    assert [left.series, right.series] == [series["uid"] for series in task["series"][:2]]
    assert [(left.sop, right.sop)] == [tuple(view["sop"] for view in task["views"])]
    # In words, and as bars that add up.
    expect(room.part("why")).not_to_have_text("")
    shares = room.page.locator("[data-testid^=probability-]").all_inner_texts()
    assert 98 <= sum(int(text.removesuffix("%")) for text in shares) <= 102
    # The rectangles lie where the server says, by the pictures' headers and by the pixels on the screen.
    for pane, view in enumerate(task["views"]):
        assert to_pixels(room.points(pane), headers[view["sop"]]) == pytest.approx(view["box"], abs=0.01)
        assert outlined(room.pixels(), room.shown()[pane].box) > 0.95
        assert has_bone(room.pixels(), room.shown()[pane].box)
    room.screenshot("reading-assisted")

    x, y = left.box[2], left.box[3]
    room.drag((x, y), (x - 24, y - 16))
    moved = room.shown()
    assert moved[0].box[2:] == pytest.approx((x - 24, y - 16), abs=1.5)
    pixel = room.millimetres_per_pixel() / float(dcmread(headers[left.sop]).PixelSpacing[0])
    expected = np.array(task["views"][0]["box"]) - [0, 0, 24 * pixel, 16 * pixel]
    for pane, one in enumerate(moved):
        assert to_pixels(room.points(pane), headers[one.sop]) == pytest.approx(expected, abs=0.5)
        assert outlined(room.pixels(), one.box) > 0.95
    room.press("2", "Shift+B", "r", "Enter")
    room.after(task["level_id"])

    (read,) = place.records.reads(task["level_id"])
    assert (read.reader, read.diagnosis, read.confidence) == ("local", "benign_fracture", 4)
    assert (read.features, read.mode, read.state) == ({"anterior_wedge"}, "assisted", "submitted")
    assert (read.series, read.sop) == (left.series, left.sop)
    assert read.box == pytest.approx(expected, abs=0.5)
    stored = eventually(lambda: [uid for uid, state in place.records.reports() if state == "stored"])
    written = {path.stem: path for path in (place.server.plan.home / "results" / "reports").rglob("*.dcm")}
    assert dcmread(written[stored[-1]]).Modality == "SR"


def test_three_keystrokes_are_a_read(place: Place) -> None:
    room = place.open()
    first = room.task
    room.press("1", "t", "Enter")
    room.after(first["level_id"])
    (read,) = place.records.reads(first["level_id"])
    assert (read.diagnosis, read.confidence, read.box, read.name) == ("normal", 5, None, first["name"])
    assert room.task["progress"]["session"] == 1


def test_what_is_missing_is_said(place: Place) -> None:
    room = place.open()
    room.press("Enter")
    room.says("Choose a class first")
    room.press("3", "Enter")
    room.says("how confident")
    assert not place.records.reads(room.task["level_id"])


def test_the_last_read_is_taken_back_and_changed(place: Place) -> None:
    room = place.open()
    level = room.task["level_id"]
    room.press("1", "q", "Enter")
    room.after(level).press("u")
    room.says("taken back")
    assert (room.task["level_id"], room.state["draft"]["diagnosis"]) == (level, "normal")
    expect(room.part("class-normal")).to_have_attribute("aria-pressed", "true")
    room.ready().press("3", "e", "Enter")
    room.after(level)
    reads = place.records.reads(level)
    assert [(read.diagnosis, read.state) for read in reads] == [
        ("normal", "withdrawn"),
        ("malignant", "submitted"),
    ]


def test_a_reload_loses_nothing(place: Place, headers: dict[str, Path]) -> None:
    room = place.open()
    task, (left, _) = room.task, room.shown()
    room.drag(left.box[:2], (left.box[0] + 20, left.box[1] + 12))
    moved = [to_pixels(room.points(pane), headers[one.sop]) for pane, one in enumerate(room.shown())]
    room.press("2", "Shift+F", "e", "b", "c")
    room.page.keyboard.type("Seen at 1.5 T, keys 1 2 3 are letters here")
    room.page.reload()
    room.ready()
    draft = room.state["draft"]
    assert (room.task["level_id"], draft["diagnosis"], draft["features"]) == (
        task["level_id"],
        "benign_fracture",
        ["dark_line"],
    )
    assert (draft["confidence"], draft["basis"]) == (3, "biopsy")
    assert draft["note"] == "Seen at 1.5 T, keys 1 2 3 are letters here"
    for pane, one in enumerate(room.shown()):
        assert to_pixels(room.points(pane), headers[one.sop]) == pytest.approx(moved[pane], abs=0.01)
    room.press("Enter")
    room.after(task["level_id"])
    (read,) = place.records.reads(task["level_id"])
    assert (read.note, read.basis, read.box is not None) == (draft["note"], "biopsy", True)


#: Up on the screen is towards the head (LPS: +z) in the right picture.
_UPRIGHT = """() => window.services.cornerstoneViewportService.getCornerstoneViewport('reading-right')
    .getCamera().viewUp[2] > 0.9"""


def test_the_other_series_comes_on_a_key(place: Place) -> None:
    room = place.open(EXTRAS)
    before = room.shown()[1].series
    others = {series["uid"] for series in room.task["series"] if series["role"] is None}
    seen = set()
    for _ in others:
        now = room.shown()[1].series
        room.press("s")
        room.page.wait_for_function("was => window.spineReading.shown()[1].series !== was", arg=now)
        seen.add(room.shown()[1].series)
        room.page.wait_for_function(_UPRIGHT)
    assert seen == others
    room.screenshot("reading-stir")
    room.press("s")
    room.page.wait_for_function("was => window.spineReading.shown()[1].series === was", arg=before)


def test_scrolling_is_linked(place: Place) -> None:
    room = place.open()
    before = room.shown()
    step = 1 if before[0].slice < 4 else -1
    room.press("ArrowDown" if step == 1 else "ArrowUp")
    room.page.wait_for_function(
        "at => window.spineReading.shown().every(one => one.slice === at)", arg=before[0].slice + step
    )


def test_a_name_is_typed_letter_by_letter(place: Place) -> None:
    room = place.open(WITHOUT_T2)
    level = room.task["level_id"]
    names = room.part("name-select")
    for typed, leave in (("T12", "Enter"), ("L2", "Escape"), ("L4", "Enter")):
        room.press("l")
        room.page.keyboard.type(typed)
        assert (room.state["draft"]["name"] or room.task["name"], room.shown()[0].level) == (typed, typed)
        expect(names).to_be_focused()
        room.press(leave)
        expect(names).not_to_be_focused()
    room.press("l", "ArrowDown", "ArrowDown")
    assert room.state["draft"]["name"] == "L6"
    expect(names).to_be_focused()
    assert room.state["draft"]["diagnosis"] is None
    room.press("Enter", "1", "t", "Enter")
    room.after(level)
    (read,) = place.records.reads(level)
    assert (read.name, read.diagnosis) == ("L6", "normal")


def test_a_name_chosen_from_the_list_leaves_the_keys_to_the_panel(place: Place) -> None:
    room = place.open(WITHOUT_T2)
    names = room.part("name-select")
    names.focus()
    names.select_option("L6")
    expect(names).not_to_be_focused()
    room.press("3")
    assert (room.state["draft"]["name"], room.state["draft"]["diagnosis"]) == ("L6", "malignant")


def test_a_missed_level_is_drawn_and_named(place: Place) -> None:
    room = place.open()
    study = room.task["study"]
    known = {level.id for level in place.records.levels(study)}
    left, _ = room.shown()
    room.press("n")
    room.drag((left.box[0] + 40, left.box[3] + 190), (left.box[0] + 160, left.box[3] + 290))
    expect(room.part("drawn-name")).to_be_visible()
    room.part("drawn-name").select_option("L6")
    room.press("Enter")
    room.says("L6 is added")
    (drawn,) = [level for level in place.records.levels(study) if level.id not in known]
    assert (drawn.name, drawn.source) == ("L6", "reader")
    assert {left.series, room.shown()[1].series} == set(drawn.series.values())


@pytest.mark.parametrize("far", [(0, 0), (2, 1)])
def test_a_box_without_area_is_refused_in_words(place: Place, far: tuple[int, int]) -> None:
    room = place.open()
    known = len(place.records.levels(room.task["study"]))
    left, _ = room.shown()
    start = (left.box[0] + 40, left.box[3] + 150)
    room.press("n")
    room.drag(start, (start[0] + far[0], start[1] + far[1]))
    expect(room.part("message")).not_to_have_text("")
    assert len(place.records.levels(room.task["study"])) == known


def test_a_corner_dragged_out_of_the_picture_stays_at_its_edge(
    place: Place, headers: dict[str, Path]
) -> None:
    room = place.open()
    near = room.shown()[0].box
    for _ in range(8):
        room.press("-")
    # On a slow machine the window may still be at an earlier step, in which the picture fills it.
    eventually(lambda: 2.9 * (room.shown()[0].box[2] - room.shown()[0].box[0]) < near[2] - near[0])
    left, _ = room.shown()
    room.drag(left.box[:2], (3, 60))
    level = room.task["level_id"]
    room.press("5", "q", "Enter")
    room.after(level)
    (read,) = place.records.reads(level)
    header = dcmread(headers[left.sop], stop_before_pixels=True)
    assert read.box is not None
    assert min(read.box) == pytest.approx(0, abs=0.01)
    assert read.box[2] <= header.Columns
    assert read.box[3] <= header.Rows


def test_all_names_move_by_one(place: Place) -> None:
    room = place.open(EXTRAS)
    study = room.task["study"]
    before = {level.id: level.name for level in place.records.levels(study) if level.current}
    room.press("Shift+ArrowUp")
    room.says("moved one up")
    up = {level.id: level.name for level in place.records.levels(study) if level.current}
    order = [*(f"T{n}" for n in range(9, 13)), *(f"L{n}" for n in range(1, 6)), "S1"]
    assert all(order.index(up[id_]) == order.index(name) - 1 for id_, name in before.items())
    assert room.shown()[0].level == up[room.task["level_id"]]
    room.press("Shift+ArrowDown")
    room.says("moved one down")
    assert {level.id: level.name for level in place.records.levels(study) if level.current} == before


def test_a_false_level_is_removed(place: Place) -> None:
    room = place.open(EXTRAS)
    task = room.task
    room.press("x")
    expect(room.part("remove-yes")).to_be_visible()
    room.press("Enter")
    room.after(task["level_id"])
    level = next(lv for lv in place.records.levels(task["study"]) if lv.id == task["level_id"])
    assert not level.current


def test_undo_brings_a_removed_level_back_to_be_read(place: Place) -> None:
    room = place.open(EXTRAS)
    task = room.task
    room.press("x", "Enter")
    room.after(task["level_id"])
    room.says("Undo brings it back")
    room.press("u")
    room.says("part of the study again")
    assert room.task["level_id"] == task["level_id"]
    level = next(lv for lv in place.records.levels(task["study"]) if lv.id == task["level_id"])
    assert level.current
    room.press("1", "w", "Enter")
    room.after(task["level_id"])
    assert len(place.records.reads(task["level_id"])) == 1
    room.press("u")  # the read now, which came after
    room.says("Your last read is taken back")


def test_a_level_is_skipped_with_a_reason(place: Place) -> None:
    room = place.open()
    level = room.task["level_id"]
    room.press("k")
    expect(room.part("skip-poor_quality")).to_be_visible()
    room.press("3")
    room.after(level)
    assert place.records.skips(level) == ("out_of_field",)


def test_heat_map_and_similar_levels(place: Place) -> None:
    room = place.open(EXTRAS)
    plain = room.pixels()
    room.press("h")
    expect(room.part("heat")).to_have_attribute("aria-pressed", "true")
    left, _ = room.shown()
    inside = tuple(
        slice(int(a) + 8, int(b) - 8) for a, b in zip(left.box[1::-1], left.box[:1:-1], strict=True)
    )
    eventually(lambda: np.abs(room.pixels()[inside].astype(int) - plain[inside]).mean() > 2)
    room.screenshot("reading-heat-map")
    room.press("h", "m")
    expect(room.part("menu")).to_contain_text("imilar", timeout=20_000)
    room.page.wait_for_function("window.spineReading.state.menuData !== null")
    room.screenshot("reading-similar")


def test_a_study_without_t2(place: Place) -> None:
    room = place.open(WITHOUT_T2)
    assert len(room.shown()) == 1
    expect(room.part("notes")).to_contain_text("no")
    expect(room.part("notes")).to_contain_text("T2")
    assert outlined(room.pixels(), room.shown()[0].box) > 0.95
    room.screenshot("reading-without-t2")
    level = room.task["level_id"]
    room.press("1", "w", "Enter")
    room.after(level)
    assert len(place.records.reads(level)) == 1


def test_time_ran_out_and_another_window_took_the_level(place: Place) -> None:
    late = place.open()
    level = late.task["level_id"]
    place.records.expire_leases()
    place.windows.room(f"{place.server.url}/review/start?list=assisted&level={level}")
    late.press("4", "r", "Enter")
    late.after(level)
    late.says("run out")
    (read,) = place.records.reads(level)
    assert read.diagnosis == "hemangioma"


def test_a_page_of_an_older_version_is_told_to_reload(place: Place) -> None:
    place.windows.expect_complaint("409")
    room = place.open()
    level = room.task["level_id"]
    # What a page of yesterday does at a server of today: it sends its own version, and is told another.
    room.page.route("**/review/reads", _as_an_older_page)
    room.page.route("**/review/me", lambda route: _newer(route, route.fetch().json()))
    room.press("1", "t", "Enter")
    room.says("reload", "connection-banner")
    assert not place.records.reads(level)
    room.page.unroute_all()
    room.page.reload()
    eventually(lambda: place.records.reads(level))


def _as_an_older_page(route: Route) -> None:
    route.continue_(headers={**route.request.headers, "x-reading-client": "0"})


def _newer(route: Route, me: dict[str, object]) -> None:
    route.fulfill(json={**me, "client": "newer"})


def test_two_reads_of_one_press_are_one(place: Place) -> None:
    """The answer to a submit was lost on its way: it is sent again, and stored once."""
    place.windows.expect_complaint("ERR_FAILED")
    room = place.open(EXTRAS)
    level = room.task["level_id"]
    lost = []

    def lose_the_answer(route: Route) -> None:
        if lost:
            route.continue_()
        else:
            lost.append(route.fetch().status)
            route.abort()

    room.page.route("**/review/reads", lose_the_answer)
    room.press("2", "q", "Enter")
    room.after(level)
    assert (lost, len(place.records.reads(level))) == ([200], 1)


def test_style_sheets_that_come_last_do_not_keep_the_room_shut(place: Place) -> None:
    """The last file to come starts the viewer's parts; where that is no script, there is no current one."""
    person = place.windows.person()

    def after_the_scripts(route: Route) -> None:
        person.pages[0].wait_for_timeout(1000)
        route.continue_()

    person.route(re.compile(r"/\d+\.css$"), after_the_scripts)
    assert place.windows.room(f"{place.server.url}/review/start?list=assisted", person).shown()


def test_a_picture_without_a_size_draws_no_boxes(place: Place) -> None:
    room = place.windows.room(f"{place.server.url}/review/start?list=assisted")
    room.page.evaluate(_WITHOUT_A_SIZE)
    assert place.windows.complaints() == []
    assert room.shown()[0].box is not None  # as before, in a picture that is seen again


def test_nothing_is_fetched_from_elsewhere(place: Place) -> None:
    person = place.windows.person()
    asked: list[str] = []
    person.on("request", lambda request: asked.append(request.url))
    place.windows.room(f"{place.server.url}/review/start?list=assisted", person)
    others = {httpx.URL(url).host for url in asked if url.startswith(("http", "ws"))} - {"127.0.0.1"}
    assert asked and not others


Box = tuple[float, float, float, float] | None


def outlined(pixels: npt.NDArray[np.uint8], box: Box) -> float:
    """Which share of the outline of ``box`` has the colour of the box being read, within 2 pixels."""
    assert box is not None
    x0, y0, x1, y1 = box
    ts = np.linspace(0.05, 0.95, 60)
    points = [(x0 + t * (x1 - x0), y) for t in ts for y in (y0, y1)]
    points += [(x, y0 + t * (y1 - y0)) for t in ts for x in (x0, x1)]
    drawn = amber(pixels)
    inside = [(round(x), round(y)) for x, y in points if 2 < x < 1010 and 52 < y < 890]
    hits = [drawn[y - 2 : y + 3, x - 2 : x + 3].any() for x, y in inside]
    assert len(hits) > 60
    return float(np.mean(hits))


def has_bone(pixels: npt.NDArray[np.uint8], box: Box) -> bool:
    """Whether there is a picture, neither black nor of one grey, inside the box."""
    assert box is not None
    x0, y0, x1, y1 = (int(value) for value in box)
    inside = pixels[max(y0, 60) + 6 : y1 - 6, x0 + 6 : x1 - 6].mean(axis=2)
    return bool(inside.mean() > 25 and inside.std() > 2)
