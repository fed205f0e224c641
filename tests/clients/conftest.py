"""A server with users, and the Slicer module's own folder to import from."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
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
