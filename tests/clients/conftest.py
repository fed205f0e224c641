"""A server with users, and the Slicer module's own folder to import from."""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from clients.fake_qt import QInputDialog, QSettings
from clients.fake_slicer import FakeSlicer
from server.running import RunningServer, running
from server.studies import QuickPipeline, write_study

from spine_fracture.cohort.people import Role
from spine_fracture.cohort.project import open_project
from spine_fracture.cohort.users import add_user

MODULE = Path(__file__).parents[2] / "clients" / "slicer" / "SpineFractureReading"
sys.path.insert(0, str(MODULE))

#: Training patients (see cohort.splits).
PATIENTS = ("phantom-000001", "phantom-000003", "phantom-000006")
PASSWORD = "a long enough password"
_NUMBERS = itertools.count(1)


@dataclass(frozen=True, eq=False)
class Ward:
    """A server and its readers, who all have one password."""

    server: RunningServer

    @property
    def url(self) -> str:
        return self.server.url

    def reader(self, name: str, *roles: Role) -> str:
        with self.server.room.project.transaction() as session:
            add_user(session, name, PASSWORD, roles or (Role.READER,))
        return name


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    folder = tmp_path_factory.mktemp("ward")
    for patient in PATIENTS:
        write_study(folder / "studies", patient)
    with open_project(folder / "home").transaction() as session:
        add_user(session, "first", PASSWORD, [Role.DATA_MANAGER])
    with running(folder / "home", str(folder / "studies"), QuickPipeline()) as server:
        yield Ward(server)


@pytest.fixture
def slicer(tmp_path: Path) -> FakeSlicer:
    return FakeSlicer(tmp_path)


@pytest.fixture
def widget(slicer: FakeSlicer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module's panel as Slicer sets it up."""
    for name, stand_in in slicer.modules().items():
        monkeypatch.setitem(sys.modules, name, stand_in)
    monkeypatch.setattr(QSettings, "kept", {})
    found = importlib.import_module("SpineFractureReading").SpineFractureReadingWidget()
    found.setup()
    yield found
    found.cleanup()
    for name in ("SpineFractureReading", "spine_fracture_reading.panel", "spine_fracture_reading.scene"):
        del sys.modules[name]


@pytest.fixture
def reading(widget: Any, ward: Ward) -> Any:
    """The panel of a reader who has signed in and has a level before them that is not blinded."""
    QInputDialog.typed[:] = [ward.reader(f"reader-{next(_NUMBERS)}"), PASSWORD]
    widget._address.setText(ward.url)
    widget.begin()
    while widget._sitting.task.blinded:  # one in four
        widget.skip()
    return widget
