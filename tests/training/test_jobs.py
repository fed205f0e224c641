"""Jobs end, fail, wait their turn, survive the one who asked, and own up to a kill -9."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from spine_fracture.errors import ConflictError, NotFoundError, StorageError
from spine_fracture.training.jobs import RECORD, Job, JobState, JobStore

PYTHON = sys.executable


@pytest.mark.parametrize("record", ["{", "{}", "[]", '{"id": 3}'])
def test_a_damaged_record_is_said_and_stops_no_other_job(store: JobStore, record: str) -> None:
    first = store.wait(store.submit("training", [PYTHON, "-c", "pass"]).id, 20)
    (store._path(first.id) / RECORD).write_text(record)
    with pytest.raises(StorageError, match=rf"job {first.id} is damaged.*log.txt; remove its folder"):
        store.get(first.id)
    second = store.wait(store.submit("training", [PYTHON, "-c", "pass"]).id, 20)
    assert store.list() == (second,)
    assert second.state is JobState.DONE
    assert store.recover() == ()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JobStore]:
    jobs = JobStore(tmp_path / "jobs")
    yield jobs
    for job in jobs.list():
        if job.state in (JobState.QUEUED, JobState.RUNNING):
            jobs.cancel(job.id)


def sleeper(seconds: float = 60) -> list[str]:
    return [PYTHON, "-c", f"import time; print('asleep', flush=True); time.sleep({seconds})"]


def running(store: JobStore, job: Job) -> Job:
    """The job once its command has printed something."""
    until = time.monotonic() + 20
    while not store.log(job.id) and time.monotonic() < until:
        time.sleep(0.05)
    return store.get(job.id)


def test_a_job_runs_to_its_end_and_keeps_its_log(store: JobStore) -> None:
    job = store.submit("training", [PYTHON, "-c", "print('epoch 1'); print('epoch 2')"])
    ended = store.wait(job.id, 20)
    assert (ended.state, ended.reason, ended.attempts) == (JobState.DONE, None, 1)
    assert ended.started is not None and ended.ended is not None
    assert store.log(job.id) == ("epoch 1", "epoch 2")
    assert store.log(job.id, lines=1) == ("epoch 2",)


def test_a_failing_command_fails_the_job_with_a_reason(store: JobStore) -> None:
    failed = store.wait(store.submit("training", [PYTHON, "-c", "raise SystemExit(3)"]).id, 20)
    assert failed.state is JobState.FAILED and "exit code 3" in (failed.reason or "")
    absent = store.wait(store.submit("training", ["/no/such/program"]).id, 20)
    assert absent.state is JobState.FAILED and "could not be started" in (absent.reason or "")


def test_one_job_runs_at_a_time_in_the_order_asked(store: JobStore) -> None:
    first = store.submit("training", sleeper(1.0))
    second = store.submit("scoring", [PYTHON, "-c", "pass"])
    assert store.get(second.id).state is JobState.QUEUED
    assert store.wait(second.id, 20).state is JobState.DONE
    assert store.get(first.id).state is JobState.DONE
    assert [job.id for job in store.list("scoring")] == [second.id]


def test_a_killed_supervisor_is_noticed_its_command_ended_and_the_job_resumed(
    store: JobStore, tmp_path: Path
) -> None:
    marker = tmp_path / "second-time"
    code = (
        f"import pathlib, time; m = pathlib.Path({str(marker)!r}); print('up', flush=True)\n"
        "if m.exists(): raise SystemExit(0)\n"
        "m.touch(); time.sleep(60)"
    )
    job = running(store, store.submit("training", [PYTHON, "-c", code]))
    assert job.supervisor is not None and job.worker is not None
    os.kill(job.supervisor.number, signal.SIGKILL)
    found = store.wait(job.id, 20)
    assert found.state is JobState.FAILED and "without a result" in (found.reason or "")
    assert not job.worker.alive
    store.resume(job.id)
    again = store.wait(job.id, 20)
    assert (again.state, again.attempts, again.reason) == (JobState.DONE, 2, None)


def test_a_killed_command_is_a_failure(store: JobStore) -> None:
    job = running(store, store.submit("training", sleeper()))
    assert job.worker is not None
    os.kill(job.worker.number, signal.SIGKILL)
    assert "exit code -9" in (store.wait(job.id, 20).reason or "")


def test_a_job_outlives_the_process_that_submitted_it(store: JobStore, tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from spine_fracture.training.jobs import JobStore\n"
        f"job = JobStore(Path({str(tmp_path / 'jobs')!r})).submit('training', {sleeper(1.5)!r})\n"
        "print(job.id, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL
    job_id = done.stdout.strip()
    assert running(store, store.get(job_id)).state is JobState.RUNNING
    assert store.wait(job_id, 20).state is JobState.DONE


def test_recover_names_what_died_and_starts_what_waits(store: JobStore) -> None:
    dead = running(store, store.submit("training", sleeper()))
    waiting = store.submit("training", [PYTHON, "-c", "pass"])
    assert dead.supervisor is not None
    os.kill(dead.supervisor.number, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(dead.supervisor.number)], timeout=5)
    assert [job.id for job in store.recover()] == [dead.id]
    assert store.wait(waiting.id, 20).state is JobState.DONE


@pytest.mark.parametrize("look", ["the one that died", "the one that waits", "the list"])
def test_a_look_at_the_jobs_starts_what_waits_behind_a_killed_one(store: JobStore, look: str) -> None:
    dead = running(store, store.submit("training", sleeper()))
    waiting = store.submit("training", sleeper())
    assert waiting.state is JobState.QUEUED and dead.supervisor is not None
    os.kill(dead.supervisor.number, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(dead.supervisor.number)], timeout=5)
    if look == "the list":
        states = [job.state for job in store.list()]
    elif look == "the one that died":
        states = [store.get(dead.id).state, store._read(waiting.id).state]
    else:
        states = [store.get(waiting.id).state, store._read(dead.id).state][::-1]
    assert states == [JobState.FAILED, JobState.RUNNING]


def test_cancel_stops_everything_the_job_started(store: JobStore) -> None:
    code = (
        "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "print(p.pid, flush=True); p.wait()"
    )
    job = running(store, store.submit("training", [PYTHON, "-c", code]))
    grandchild = int(store.log(job.id)[0])
    assert store.cancel(job.id).state is JobState.CANCELLED
    until = time.monotonic() + 5
    while psutil.pid_exists(grandchild) and time.monotonic() < until:
        time.sleep(0.05)
    assert not psutil.pid_exists(grandchild) or psutil.Process(grandchild).status() == "zombie"
    assert store.get(job.id).state is JobState.CANCELLED


def test_steps_that_make_no_sense_are_conflicts(store: JobStore) -> None:
    done = store.wait(store.submit("training", [PYTHON, "-c", "pass"]).id, 20)
    for step in (store.cancel, store.resume):
        with pytest.raises(ConflictError, match="is done"):
            step(done.id)


@pytest.mark.parametrize("name", ["absent", "../jobs", ""])
def test_an_unknown_job_is_said_and_no_path_escapes(store: JobStore, tmp_path: Path, name: str) -> None:
    (tmp_path / "jobs").mkdir(exist_ok=True)
    (tmp_path / RECORD).write_text("{}")
    with pytest.raises(NotFoundError):
        store.get(name)
