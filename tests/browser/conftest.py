"""A cohort read once, servers over copies of its project, and a chromium for each module of tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from browser.made_cohort import CENTRE, MadeCohort, make, read_all
from browser.people import add_people
from browser.serving import Plan, Server
from browser.windows import CHROMIUM, CHROMIUM_ARGUMENTS, Windows
from orthanc.archive_process import Orthanc
from playwright.sync_api import Browser, Playwright, sync_playwright

from spine_fracture.cohort.people import Role

SCREENSHOTS = "SPINE_FRACTURE_SCREENSHOTS"


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> MadeCohort:
    return make(tmp_path_factory.mktemp("phantoms"))


@pytest.fixture(scope="session")
def filled_archive(tmp_path_factory: pytest.TempPathFactory, cohort: MadeCohort) -> Iterator[Orthanc]:
    """An Orthanc with the whole cohort; who stores more in it or takes something away says so in the test."""
    server = Orthanc(tmp_path_factory.mktemp("archive"))
    try:
        server.start()
        server.store(*cohort.files)
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def projects(
    tmp_path_factory: pytest.TempPathFactory, cohort: MadeCohort, filled_archive: Orthanc
) -> tuple[Plan, Plan]:
    """Two projects whose studies the models have read: over the folder, over the archive. Never served."""
    homes = tmp_path_factory.mktemp("projects")
    plans = (
        Plan(homes / "folder", str(cohort.folder), centre=CENTRE),
        Plan(homes / "archive", filled_archive.dicom_web, centre=CENTRE),
    )
    read_all(*plans)
    return plans


Serve = Callable[..., Server]


@pytest.fixture(scope="module")
def serve_folder(projects: tuple[Plan, Plan], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Starts servers over the folder, each on a project of its own."""
    yield from _serving(projects[0], tmp_path_factory.mktemp("folder"))


@pytest.fixture(scope="module")
def serve_archive(projects: tuple[Plan, Plan], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Starts servers over the archive, each on a project of its own."""
    yield from _serving(projects[1], tmp_path_factory.mktemp("archive"))


def _serving(read: Plan, folder: Path) -> Iterator[Serve]:
    started: list[Server] = []

    def start(protocol: str = "single", people: Mapping[str, Sequence[Role]] | None = None) -> Server:
        home = folder / f"home-{len(started)}"
        shutil.copytree(read.home, home)
        add_people(home, people or {})
        server = Server(Plan(home, read.studies, protocol, read.centre))
        started.append(server)
        return server.start()

    try:
        yield start
    finally:
        for server in started:
            server.stop()


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Ends with its module: while it runs, its event loop keeps other tests from starting theirs."""
    with sync_playwright() as found:
        yield found


@pytest.fixture(scope="module")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    if not Path(CHROMIUM).is_file():
        pytest.fail("Chromium is not installed: run tests/setup-system.sh (make test does).")
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(CHROMIUM_ARGUMENTS))
    yield browser
    browser.close()


@pytest.fixture
def windows(chromium: Browser, tmp_path: Path) -> Iterator[Windows]:
    """Windows of different people; no page of theirs may complain in its console."""
    opened = Windows(chromium, Path(os.environ.get(SCREENSHOTS) or tmp_path))
    yield opened
    opened.close()
