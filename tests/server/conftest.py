"""One server over a folder of small studies, shared by the whole session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from server.readers import new_user, service_token
from server.running import RunningServer, running
from server.studies import QuickPipeline, write_study

from spine_fracture.cohort.people import Role

USERS = {
    "reader-1": [Role.READER],
    "reader-2": [Role.READER],
    "adjudicator": [Role.ADJUDICATOR],
    "chief": [Role.READER, Role.ADJUDICATOR, Role.DATA_MANAGER, Role.ENGINEER],
}
#: All of them training patients (see cohort.splits).
PATIENTS = ("phantom-000001", "phantom-000003", "phantom-000006")


@pytest.fixture(scope="session")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studies")
    for patient in PATIENTS:
        write_study(folder, patient)
    return folder


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, studies: Path) -> Iterator[RunningServer]:
    home = tmp_path_factory.mktemp("home")
    with running(home, str(studies), QuickPipeline()) as found:
        yield found


@pytest.fixture(scope="session")
def token(server: RunningServer) -> str:
    """A service token: its holder may speak for any reader."""
    return service_token(server, "slicer")


@pytest.fixture(scope="session")
def read_home(tmp_path_factory: pytest.TempPathFactory, studies: Path) -> Path:
    """A project in which the studies were read by the models, and whose users are two readers and others.

    For tests that need a server of their own: they copy it.
    """
    home = tmp_path_factory.mktemp("read") / "home"
    with running(home, str(studies), QuickPipeline()) as found:
        while found.room.ahead.one_more():
            pass
        for name, roles in USERS.items():
            new_user(found, name, roles)
    return home
