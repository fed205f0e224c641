"""Over a real Orthanc: reads go there as reports, come back in plain OHIF; what is drawn there comes in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from browser.conftest import Serve
from browser.made_cohort import EXTRAS, LOCKED, PLAIN, MadeCohort, study_uid
from browser.pixel_maths import header_by_sop, to_pixels
from browser.plain_viewer import PlainViewer
from browser.records import Records, eventually
from browser.serving import Server
from browser.windows import Windows, screenshot
from orthanc.archive_process import Orthanc
from playwright.sync_api import expect


@pytest.fixture(scope="module")
def server(serve_archive: Serve) -> Iterator[Server]:
    yield serve_archive()


@pytest.fixture
def records(server: Server) -> Records:
    return Records(server.plan.home)


@pytest.fixture(scope="module")
def headers(cohort: MadeCohort) -> dict[str, Path]:
    return header_by_sop(cohort.folder)


def reports_in(archive: Orthanc, study: str) -> list[str]:
    """UIDs of the structured reports of a study, as the archive itself lists them."""
    found = httpx.get(
        f"{archive.dicom_web}/studies/{study}/instances",
        params={"Modality": "SR"},
        headers={"Accept": "application/dicom+json"},
    )
    return [one["00080018"]["Value"][0] for one in found.json()] if found.content else []


def test_a_read_comes_back_in_plain_ohif(
    server: Server,
    records: Records,
    windows: Windows,
    filled_archive: Orthanc,
    headers: dict[str, Path],
) -> None:
    reader = windows.person()
    level = records.unread(study_uid(PLAIN))
    room = windows.room(f"{server.url}/review/start?list=assisted&level={level}", reader)
    name, left = room.task["name"], room.shown()[0]
    room.drag(left.box[2:], (left.box[2] - 18, left.box[3] - 12))
    room.press("3", "Shift+K", "r", "Enter")
    room.after(level).page.close()
    (read,) = records.reads(level)
    stored = eventually(lambda: [uid for uid, state in records.reports() if state == "stored"][:2])
    assert set(stored) <= set(reports_in(filled_archive, study_uid(PLAIN)))

    plain = PlainViewer.open(server.url, study_uid(PLAIN), reader)
    plain.restore("Read of local (viewer")
    (measured,) = plain.measurements()
    assert measured["label"].startswith(f"{name} malignant")
    assert (measured["tool"], measured["sop"]) == ("RectangleROI", read.sop)
    assert to_pixels(measured["points"], headers[read.sop]) == pytest.approx(read.box, abs=0.5)
    plain.show_measurements()
    expect(plain.page.locator("[data-cy=data-row]").first).to_contain_text(measured["label"])
    plain.page.wait_for_timeout(1500)  # the picture scrolls to what was drawn
    screenshot(plain.page, windows.screenshots, "plain-ohif-report")


def test_what_is_drawn_in_plain_ohif_comes_in_as_a_read(
    server: Server, records: Records, windows: Windows, headers: dict[str, Path]
) -> None:
    reader = windows.person()
    level_id = records.unread(study_uid(EXTRAS))
    (level,) = [one for one in records.levels(study_uid(EXTRAS)) if one.id == level_id]
    sop = sorted(level.boxes)[len(level.boxes) // 2]
    known = len(records.reads())
    plain = PlainViewer.open(server.url, study_uid(EXTRAS), reader, level.series[sop], sop)
    plain.draw(sop, level.boxes[sop])
    plain.name(f"{level.name} benign fracture")
    screenshot(plain.page, windows.screenshots, "plain-ohif-drawing")
    plain.store()
    (read,) = eventually(lambda: records.reads()[known:])
    assert (read.level_id, read.diagnosis, read.name) == (level_id, "benign_fracture", level.name)
    # Stored through our server, which knows who is signed in.
    assert (read.reader, read.series) == ("local", level.series[sop])
    assert read.box == pytest.approx(level.boxes[sop], abs=2)
    assert ("taken", ()) in records.received()


def test_the_archive_is_down_at_submit(
    server: Server, records: Records, windows: Windows, filled_archive: Orthanc
) -> None:
    windows.expect_complaint("50[0-9]|request failed|^null ")
    reader = windows.person()
    level = records.unread(study_uid(EXTRAS))
    room = windows.room(f"{server.url}/review/start?list=assisted&level={level}", reader)
    room.page.wait_for_function("window.spineReading.fetchedAhead !== null")
    before = records.reports()
    filled_archive.stop()
    try:
        room.press("1", "t", "Enter")
        eventually(lambda: records.reads(level))
        waiting = eventually(lambda: [uid for uid, state in records.reports()[len(before) :]])
        page = windows.page(f"{server.url}/", reader)
        eventually(lambda: page.reload() and "could not be" in page.inner_text("main"), 60)
        screenshot(page, windows.screenshots, "landing-waiting")
    finally:
        filled_archive.start()
    eventually(
        lambda: (
            dict(records.reports())[waiting[0]] == "stored"
            and set(waiting) <= set(reports_in(filled_archive, study_uid(EXTRAS)))
        ),
        60,
    )


def test_a_series_that_was_deleted_in_the_archive(
    server: Server, records: Records, windows: Windows, filled_archive: Orthanc, cohort: MadeCohort
) -> None:
    windows.expect_complaint("404")
    level = records.unread(study_uid(EXTRAS))
    series = next(lv for lv in records.levels(study_uid(EXTRAS)) if lv.id == level).series
    gone = sorted(set(series.values()))[0]
    found = httpx.post(f"{filled_archive.url}/tools/lookup", content=gone).json()
    httpx.delete(f"{filled_archive.url}{found[0]['Path']}").raise_for_status()
    try:
        room = windows.room(f"{server.url}/review/start?list=assisted&level={level}")
        assert [one.series for one in room.shown()] == [uid for uid in set(series.values()) if uid != gone]
        expect(room.part("notes")).to_contain_text("no longer in the archive")
        room.press("1", "w", "Enter")
        eventually(lambda: records.reads(level))
    finally:
        filled_archive.store(*cohort.files)


def test_the_study_list_opens_any_study(server: Server, windows: Windows) -> None:
    page = windows.page(f"{server.url}/viewer")
    page.get_by_text("phantom-000105").first.click()
    expect(page.get_by_text("Read levels").first).to_be_visible()
    screenshot(page, windows.screenshots, "study-list")
    page.get_by_role("button", name="Basic Viewer").first.click()
    page.wait_for_function("window.cornerstone?.getRenderingEngines()?.[0]?.getViewports()[0]?.csImage")
    assert study_uid(LOCKED) in page.url


def test_monai_labels_own_viewer_shows_the_twin(server: Server, windows: Windows) -> None:
    # Its pages ask for fonts of another machine and for a training that is not there; neither is had.
    windows.expect_complaint("fonts.googleapis.com|check_if_running")
    page = windows.page(f"{server.url}/ohif/monai-label?StudyInstanceUIDs={study_uid(PLAIN)}")
    page.wait_for_function(
        "window.cornerstone?.getRenderingEngines()?.[0]?.getViewports()[0]?.getImageData()"
    )
    page.locator(".actionButton").first.click()
    page.get_by_text("Auto-Segmentation").first.click()
    page.get_by_text("Run", exact=True).first.click()
    page.wait_for_function(_TWIN_SHOWN)
    page.wait_for_timeout(1500)
    screenshot(page, windows.screenshots, "monai-label-viewer")


#: Some voxels of the segmentation are labelled: the boxes of the levels.
_TWIN_SHOWN = """() => {
  const segmentation = window.services?.segmentationService.getSegmentations()[0];
  if (!segmentation) return false;
  const { volumeId } = segmentation.representationData.Labelmap;
  const labels = cornerstone.cache.getVolume(volumeId).voxelManager.getCompleteScalarDataArray();
  return new Set(labels).size > 5;
}"""
