"""Trainings that outlive the server: what became of them is said, and they can be taken up again."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spine_fracture.cli import cli
from spine_fracture.errors import ConflictError, NotFoundError
from spine_fracture.settings import settings
from spine_fracture.training.jobs import JobState, JobStore

Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """What the command prints; its errors are raised."""
    monkeypatch.setenv("SPINE_FRACTURE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "80")
    settings.cache_clear()

    def ran(*words: str) -> str:
        return CliRunner().invoke(cli, ["jobs", *words], catch_exceptions=False).output

    yield ran
    settings.cache_clear()


@pytest.fixture
def store(run: Run) -> JobStore:
    return JobStore(settings().jobs_folder)


def test_an_empty_list_says_so(run: Run) -> None:
    assert "No training was started" in run()
    with pytest.raises(NotFoundError, match="No training was started"):
        run("resume")


def test_a_job_that_was_killed_is_resumed_by_the_command_it_names(
    run: Run, store: JobStore, tmp_path: Path
) -> None:
    """The first time it sleeps and is killed, the second time it ends."""
    mark = tmp_path / "begun"
    script = (
        "import pathlib, sys, time; mark = pathlib.Path(sys.argv[1]); again = mark.exists(); mark.touch(); "
        "print('epoch', 2 if again else 1, flush=True); time.sleep(0 if again else 60)"
    )
    job = store.submit("train", [sys.executable, "-c", script, str(mark)])
    while not store.log(job.id):
        store.wait(job.id, 0.1)
    supervisor = store.get(job.id).supervisor
    assert supervisor is not None
    os.kill(supervisor.number, signal.SIGKILL)
    store.wait(job.id, 20)
    listed = run()
    assert "failed" in listed and f"spine-fracture jobs resume {job.id}" in listed
    assert job.id in run("resume", job.id)
    assert store.wait(job.id, 20).state is JobState.DONE
    assert run("log") == "epoch 1\nepoch 2\n" and run("log", job.id, "--lines", "1") == "epoch 2\n"
    with pytest.raises(ConflictError, match="is done"):
        run("resume")


def test_the_newest_is_cancelled_by_default(run: Run, store: JobStore) -> None:
    first, second = (
        store.submit("train", [sys.executable, "-c", f"import time; time.sleep({seconds})"])
        for seconds in (60, 61)
    )
    assert second.id in run("cancel")
    assert (store.get(first.id).state, store.get(second.id).state) == (JobState.RUNNING, JobState.CANCELLED)
    assert f"{first.id} is cancelled." in run("cancel", first.id)


def test_an_older_job_that_was_resumed_is_the_one_that_is_meant(run: Run, store: JobStore) -> None:
    older, newer = (
        store.submit("train", [sys.executable, "-c", f"import time; print('job', {n}); time.sleep({60 * n})"])
        for n in (1, 0)
    )
    run("cancel", older.id)
    assert store.wait(newer.id, 20).state is JobState.DONE
    assert older.id in run("resume")
    store.wait(older.id, 1)
    assert set(run("log").splitlines()) <= {"job 1"}  # its own, however far it came
    assert f"{older.id} is cancelled." in run("cancel")


def test_an_unknown_job_is_said(run: Run) -> None:
    with pytest.raises(NotFoundError, match="spine-fracture jobs shows their names"):
        run("log", "yesterday")
