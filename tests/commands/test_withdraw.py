"""``withdraw`` does what Undo does: the archive's report no longer says what was taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from server.made_desk import Desk, desk
from typer.testing import CliRunner

from spine_fracture.anatomy import Level
from spine_fracture.cli import cli
from spine_fracture.cohort.reports import ReportState
from spine_fracture.cohort.states import ReadState
from spine_fracture.errors import NotFoundError
from spine_fracture.settings import settings


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    found = desk(tmp_path)
    monkeypatch.setenv("SPINE_FRACTURE_HOME", str(found.project.home))
    settings.cache_clear()
    yield found
    settings.cache_clear()


def _withdraw(read: int, reader: str) -> str:
    words = ["withdraw", str(read), "--reader", reader]
    return CliRunner().invoke(cli, words, catch_exceptions=False).output


def test_a_report_in_place_of_the_one_that_said_it_is_queued(made: Desk) -> None:
    read = made.read(Level.L1)
    made.sender().send()
    assert f"Read {read} of level" in _withdraw(read, "reader-1")
    assert made.reads()[0].state is ReadState.WITHDRAWN
    states = [row.state for row in made.rows()]
    assert (states.count(ReportState.STORED), states.count(ReportState.WAITING)) == (2, 2)


def test_nobody_withdraws_what_another_read(made: Desk) -> None:
    read = made.read(Level.L1)
    with pytest.raises(NotFoundError, match="You have no read"):
        _withdraw(read, "reader-2")
    assert made.reads()[0].state is ReadState.SUBMITTED
