"""Jobs that outlive the process that asked for them: one folder a job, one at a time.

A job is a command. A small supervisor process (``python -m spine_fracture.training.jobs``) runs it
in a session of its own, records how it ended and starts the next one in the queue, so neither the
server nor a terminal has to stay alive. When the supervisor itself dies (``kill -9``, power cut)
the next look at the job says so and the job can be resumed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import psutil
from pydantic import TypeAdapter, ValidationError

from spine_fracture.errors import ConflictError, NotFoundError, StorageError
from spine_fracture.files import locked, write_atomically

RECORD = "job.json"
LOG = "log.txt"
_GRACE_SECONDS = 5.0
_log = logging.getLogger(__name__)
_SUPERVISORS: list[subprocess.Popen[bytes]] = []  # those this process started, kept to be reaped


class JobState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


#: Every step a job may take; anything else is a conflict. A resumed job goes back to the queue.
TRANSITIONS: dict[JobState, frozenset[JobState]] = {
    JobState.QUEUED: frozenset({JobState.RUNNING, JobState.CANCELLED}),
    JobState.RUNNING: frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED}),
    JobState.FAILED: frozenset({JobState.QUEUED}),
    JobState.CANCELLED: frozenset({JobState.QUEUED}),
    JobState.DONE: frozenset(),
}


@dataclass(frozen=True)
class ProcessMark:
    """A process by number and start time, which tells it from a later one with the same number."""

    number: int
    started: float

    @classmethod
    def of(cls, number: int) -> ProcessMark | None:
        """The mark of a living process; None when it is gone or only waits to be reaped."""
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(number)
            if process.status() != psutil.STATUS_ZOMBIE:
                return cls(number, process.create_time())
        return None

    @property
    def alive(self) -> bool:
        return self.of(self.number) == self


@dataclass(frozen=True)
class Job:
    """A command and what became of it. Times are ISO 8601, UTC.

    ``worker`` is the process of the command, ``supervisor`` the one that waits for it and leads
    their process group.
    """

    id: str
    kind: str
    command: tuple[str, ...]
    state: JobState
    created: str
    started: str | None = None
    ended: str | None = None
    attempts: int = 0
    supervisor: ProcessMark | None = None
    worker: ProcessMark | None = None
    reason: str | None = None

    def may_become(self, state: JobState) -> bool:
        """Whether that is its next step."""
        return state in TRANSITIONS[self.state]


_RECORDS = TypeAdapter(Job)


class JobStore:
    """The jobs of one project folder (``home/jobs``). Safe for several processes at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def submit(self, kind: str, command: Sequence[str]) -> Job:
        """Put a command in the queue and start it when nothing else runs."""
        stamp = datetime.now(UTC)
        job = Job(
            id=f"{stamp:%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:6]}",
            kind=kind,
            command=tuple(command),
            state=JobState.QUEUED,
            created=stamp.isoformat(),
        )
        with locked(self._folder):
            self._write(job)
            self._start_next()
        return self.get(job.id)

    def get(self, job_id: str) -> Job:
        """The job as it is now; a running one whose process is gone comes back as failed."""
        with locked(self._folder):
            job = self._read(job_id)
            if job.state not in (JobState.QUEUED, JobState.RUNNING):
                return job
            self._settle_all()
            return self._read(job_id)

    def list(self, kind: str | None = None) -> tuple[Job, ...]:
        """All jobs, oldest first."""
        with locked(self._folder):
            jobs = self._settle_all()
        return tuple(job for job in jobs if kind in (None, job.kind))

    def cancel(self, job_id: str) -> Job:
        """Take a job out of the queue, or stop it and all it started."""
        with locked(self._folder):
            job = self._settle(self._read(job_id))
            running = job.state is JobState.RUNNING
            job = self._move(job, JobState.CANCELLED, reason="cancelled by the user")
        if running and job.supervisor is not None:
            _stop_group(job.supervisor.number)
            with locked(self._folder):
                self._start_next()
        return job

    def resume(self, job_id: str) -> Job:
        """Queue a failed or cancelled job again; its command takes up its own checkpoint."""
        with locked(self._folder):
            self._move(self._settle(self._read(job_id)), JobState.QUEUED)
            self._start_next()
        return self.get(job_id)

    def recover(self) -> tuple[Job, ...]:
        """After a restart: mark what died as failed, start the queue, and name what died."""
        with locked(self._folder):
            before = [job for job in self._all() if job.state is JobState.RUNNING]
            after = [self._settle(job) for job in before]
            self._start_next()
        return tuple(job for job in after if job.state is JobState.FAILED)

    def log(self, job_id: str, lines: int = 100) -> tuple[str, ...]:
        """The last lines the job printed."""
        path = self._path(job_id) / LOG
        if not path.is_file():
            self._read(job_id)
            return ()
        return tuple(path.read_text(errors="replace").splitlines()[-lines:])

    def wait(self, job_id: str, seconds: float) -> Job:
        """The job when it has ended, or as it is after ``seconds``."""
        until = time.monotonic() + seconds
        job = self.get(job_id)
        while job.state in (JobState.QUEUED, JobState.RUNNING) and time.monotonic() < until:
            time.sleep(0.1)
            job = self.get(job_id)
        return job

    def supervise(self, job_id: str) -> None:
        """Run the job's command to its end; called in the supervisor process."""
        with locked(self._folder):
            job = self._read(job_id)
            if job.supervisor is None or job.supervisor.number != os.getpid():
                return  # whoever started this process died before it could say so; the job is still queued
            with (self._path(job_id) / LOG).open("ab") as log:
                try:
                    worker = subprocess.Popen(job.command, stdout=log, stderr=subprocess.STDOUT)
                except OSError as error:
                    reason = f"the command could not be started: {error.strerror}"
                    self._move(job, JobState.FAILED, reason=reason)
                    self._start_next()
                    return
            self._write(replace(job, worker=ProcessMark.of(worker.pid)))
        code = worker.wait()
        with locked(self._folder):
            job = self._read(job_id)
            if job.state is JobState.RUNNING and code == 0:
                self._move(job, JobState.DONE)
            elif job.state is JobState.RUNNING:
                reason = f"the command ended with exit code {code}; see the log"
                self._move(job, JobState.FAILED, reason=reason)
            self._start_next()

    def _settle_all(self) -> tuple[Job, ...]:
        """All jobs as they are now. Where one died, its supervisor started no other: the next starts here."""
        before = tuple(self._all())
        after = tuple(self._settle(job) for job in before)
        if after == before:
            return after
        self._start_next()
        return tuple(self._all())

    def _start_next(self) -> None:
        jobs = [self._settle(job) for job in self._all()]
        waiting = [job for job in jobs if job.state is JobState.QUEUED]
        if not waiting or any(job.state is JobState.RUNNING for job in jobs):
            return
        job = waiting[0]
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "spine_fracture.training.jobs", str(self._folder.absolute()), job.id],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        _SUPERVISORS[:] = [child for child in (*_SUPERVISORS, supervisor) if child.poll() is None]
        self._move(replace(job, supervisor=ProcessMark.of(supervisor.pid), worker=None), JobState.RUNNING)

    def _settle(self, job: Job) -> Job:
        """Mark a running job failed when its supervisor is gone, and end what it left behind."""
        if job.state is not JobState.RUNNING or (job.supervisor is not None and job.supervisor.alive):
            return job
        if job.supervisor is not None and job.worker is not None and job.worker.alive:
            _stop_group(job.supervisor.number)
        reason = (
            "the process ended without a result (killed, or the machine stopped): resume it with "
            f"spine-fracture jobs resume {job.id}"
        )
        return self._move(job, JobState.FAILED, reason=reason)

    def _move(self, job: Job, state: JobState, reason: str | None = None) -> Job:
        if not job.may_become(state):
            raise ConflictError(f"Job {job.id} is {job.state}: it cannot become {state}.")
        now = datetime.now(UTC).isoformat()
        moved = replace(job, state=state, reason=reason)
        if state is JobState.RUNNING:
            moved = replace(moved, started=now, ended=None, attempts=job.attempts + 1)
        elif state is not JobState.QUEUED:
            moved = replace(moved, ended=now)
        self._write(moved)
        return moved

    def _all(self) -> Iterator[Job]:
        """All jobs whose records can be read, oldest first: a damaged one stops none of the others."""
        for path in sorted(self._folder.glob(f"*/{RECORD}")):
            try:
                yield self._read(path.parent.name)
            except StorageError as error:
                _log.warning("%s", error)

    def _path(self, job_id: str) -> Path:
        path = self._folder / job_id
        if path.parent != self._folder or not (path / RECORD).is_file():
            raise NotFoundError(f"There is no job {job_id!r}: spine-fracture jobs shows their names.")
        return path

    def _read(self, job_id: str) -> Job:
        path = self._path(job_id) / RECORD
        try:
            return _RECORDS.validate_json(path.read_bytes())
        except (ValidationError, OSError) as error:
            raise StorageError(
                f"The record of job {job_id} is damaged: its log is in {path.with_name(LOG)}; "
                "remove its folder and start the job anew."
            ) from error

    def _write(self, job: Job) -> None:
        write_atomically(self._folder / job.id / RECORD, _RECORDS.dump_json(job, indent=2))


def _stop_group(leader: int) -> None:
    """Ask every process of a group to end, then make them."""
    until = time.monotonic() + _GRACE_SECONDS
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGTERM)
        while time.monotonic() < until:
            for child in _SUPERVISORS:
                child.poll()  # reap, or the group would never seem to end
            time.sleep(0.05)
            os.killpg(leader, 0)
        os.killpg(leader, signal.SIGKILL)


if __name__ == "__main__":
    JobStore(Path(sys.argv[1])).supervise(sys.argv[2])
