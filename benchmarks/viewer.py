"""From the key that submits a read to the next level's picture and box on the screen, part by part.

A real Orthanc, our server in a process of its own, stock OHIF in headless chromium. 20 times on to a study
that this window has not shown before, with its pictures fetched ahead while the level before it was read, and
the same without fetching ahead. Phantom studies of 2 x 15 slices, made by seed, read by the shipped models.

    python benchmarks/viewer.py --json viewer.json
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np
from machine import show
from playwright.sync_api import Browser, Page, sync_playwright
from rich.progress import track

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the browser and Orthanc as the tests have them
from browser.made_cohort import read_all
from browser.serving import Plan, Server, free_port
from browser.windows import CHROMIUM, CHROMIUM_ARGUMENTS, RoomWindow, Windows, amber
from orthanc.archive_process import Orthanc

from spine_fracture.cohort.splits import Split, split_of
from spine_fracture.dicom.write import PatientTags, uid_from, write_series
from spine_fracture.simulation.phantom import patient_key
from spine_fracture.simulation.recipe import CoverageShares, PhantomRecipe
from spine_fracture.simulation.study import simulate_study

SUBMITS = 20
STUDIES = 24
MOST_SUBMITS = 80
FIRST_SEED = 910_000
RECIPE = PhantomRecipe(
    name="viewer benchmark",
    patients=STUDIES,
    patient_shift=0.0,
    extra_share=0.0,
    coverage=CoverageShares(lumbar=1.0, thoracolumbar=0.0),
)
#: The extension sets these marks as it goes on to the next level.
MARKS = ("next-start", "selection", "metadata", "pixels", "rendered")
PARTS = ("selection", "metadata", "pixels", "render")


@dataclass(frozen=True)
class Run:
    """Seconds: of opening the page with the first level, and (submit, part) of going on."""

    opening: float
    parts: np.ndarray

    @property
    def wholes(self) -> np.ndarray:
        return self.parts.sum(axis=1)


def fill(archive: Orthanc, folder: Path) -> None:
    """Training patients only: no other is read with help."""
    seeds = (seed for seed in count(FIRST_SEED) if split_of(patient_key(seed)) is Split.TRAIN)
    for seed, _ in zip(seeds, track(range(STUDIES), "Making phantoms"), strict=False):
        study = simulate_study(seed, RECIPE)
        tags = PatientTags(study.patient_key, uid_from(RECIPE.name, study.patient_key))
        for number, volume in enumerate(study.volumes, start=1):
            where = folder / study.patient_key / volume.sequence
            archive.store(*write_series(volume, tags, where, series_number=number))


@contextmanager
def served(plan: Plan, home: Path) -> Iterator[Server]:
    shutil.copytree(plan.home, home)
    server = Server(replace(plan, home=home, port=free_port()))
    try:
        yield server.start()
    finally:
        server.stop()


def measure(browser: Browser, server: Server, ahead: bool, folder: Path) -> Run:
    windows = Windows(browser, folder)
    person = windows.person()
    if not ahead:
        windows.expect_complaint("upcoming|ERR_FAILED")
        person.route("**/review/upcoming", lambda route: route.abort())
    room = windows.room(f"{server.url}/review/start?list=assisted", person)
    opening = marks(room.page)["rendered"]
    seen, rows = {room.task["study"]}, []
    title = "Going on, fetched ahead" if ahead else "Going on, not fetched ahead"
    for _ in track(range(MOST_SUBMITS), title):
        if len(rows) == SUBMITS:
            break
        level = room.task["level_id"]
        room.page.wait_for_function("window.spineReading.fetchedAhead !== null")
        room.page.evaluate("performance.clearMarks()")
        room.press("1", "r", "Enter")
        room.after(level)
        check_shown(room)
        if room.task["study"] not in seen:
            at = marks(room.page)
            rows.append(np.diff([at[name] for name in MARKS]))
        seen.add(room.task["study"])
    windows.close()
    if len(rows) < SUBMITS:
        raise SystemExit(f"Only {len(rows)} of {SUBMITS} submits led to a study that was not shown before.")
    return Run(opening, np.array(rows))


def marks(page: Page) -> dict[str, float]:
    """Seconds since the page began to load."""
    found = page.evaluate(
        "performance.getEntriesByType('mark').filter(one => one.name.startsWith('reading:'))"
        ".map(one => [one.name.slice(8), one.startTime / 1000])"
    )
    return dict(found)


def check_shown(room: RoomWindow) -> None:
    """What is called shown is on the screen: both boxes, in their colour."""
    if amber(room.pixels())[:, :1000].sum() < 400 or any(one.box is None for one in room.shown()):
        raise SystemExit("A level was called shown before its boxes were on the screen.")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = Path(temporary)
        (folder / "archive").mkdir()
        archive = Orthanc(folder / "archive")
        archive.start()
        try:
            fill(archive, folder / "studies")
            plan = Plan(folder / "project", archive.dicom_web)
            read_all(plan)
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_ARGUMENTS))
            runs = []
            for ahead in (True, False):
                with served(plan, folder / f"home-{ahead}") as server:
                    runs.append(measure(browser, server, ahead, folder))
            browser.close()
        finally:
            archive.stop()
    report(*runs, chosen.json)


def report(ahead: Run, not_ahead: Run, file: Path | None) -> None:
    def middle(values: np.ndarray) -> str:
        return f"{np.percentile(values, 50):.2f}"

    rows = [
        (part, middle(ahead.parts[:, at]), middle(not_ahead.parts[:, at])) for at, part in enumerate(PARTS)
    ]
    rows += [
        ("submit to next picture and box, p50", middle(ahead.wholes), middle(not_ahead.wholes)),
        ("p95", *(f"{np.percentile(run.wholes, 95):.2f}" for run in (ahead, not_ahead))),
        ("opening the page at its first level", f"{ahead.opening:.2f}", f"{not_ahead.opening:.2f}"),
    ]
    show(
        f"From a submit to the next level's picture and box, s ({SUBMITS} submits)",
        ("part, p50", "fetched ahead", "not fetched ahead"),
        rows,
        {
            "submits": SUBMITS,
            "submit_to_next_picture_s": summary(ahead),
            "submit_to_next_picture_not_prefetched_s": summary(not_ahead),
            "parts_s": {part: float(np.median(ahead.parts[:, at])) for at, part in enumerate(PARTS)},
            "parts_not_prefetched_s": {
                part: float(np.median(not_ahead.parts[:, at])) for at, part in enumerate(PARTS)
            },
            "open_page_s": ahead.opening,
        },
        file,
    )


def summary(run: Run) -> dict[str, float]:
    return {f"p{q}": float(np.percentile(run.wholes, q)) for q in (50, 95)}


if __name__ == "__main__":
    main()
