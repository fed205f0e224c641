"""Training as MONAI Label's clients see it: jobs that outlive the server, in MONAI Label's words."""

from __future__ import annotations

import re
import sys
from datetime import datetime
from enum import StrEnum
from typing import Any

from spine_fracture.cohort.project import Project
from spine_fracture.cohort.snapshots import LATEST, freeze
from spine_fracture.errors import BusyError, InputError, NotFoundError
from spine_fracture.server.background import monai_time
from spine_fracture.training.jobs import Job, JobState, JobStore

KIND = "train"
_WORDS = {
    JobState.QUEUED: "SUBMITTED",
    JobState.RUNNING: "RUNNING",
    JobState.DONE: "DONE",
    JobState.FAILED: "ERROR",
    JobState.CANCELLED: "STOPPED",
}
_SNAPSHOT = re.compile(r"[\w.-]{1,64}")
_COMMAND = (sys.executable, "-c", "from spine_fracture.cli import app; app()")


class TrainerName(StrEnum):
    CLASSIFIER = "fracture_classification"

    @classmethod
    def parse(cls, text: str) -> TrainerName:
        try:
            return cls(text)
        except ValueError:
            raise NotFoundError(f"There is no trainer {text!r}: use one of {', '.join(cls)}.") from None


class Trainings:
    """Starts and watches the training jobs of a project."""

    def __init__(self, project: Project, jobs: JobStore) -> None:
        self._project = project
        self._jobs = jobs

    def start(self, trainer: TrainerName, params: dict[str, Any], *, enqueue: bool = False) -> Job:
        """Queue a training of ``trainer`` on a frozen cohort.

        ``params["snapshot"]`` names it; by default the reads that count now are frozen first. Raises
        :class:`BusyError` when one runs already and this one is not to wait for it, and
        :class:`InsufficientEvidenceError` when there is nothing to train on.
        """
        snapshot = str(params.get("snapshot", LATEST))
        if not _SNAPSHOT.fullmatch(snapshot):
            raise InputError("snapshot is the name of a frozen cohort, or latest.")
        if not enqueue and self.running():
            raise BusyError("A training runs already: wait for it, stop it, or ask with enqueue=true.")
        if snapshot == LATEST:
            snapshot = freeze(self._project).name
        return self._jobs.submit(KIND, (*_COMMAND, "train", "classifier", "--snapshot", snapshot))

    def recover(self) -> None:
        """After a restart: what died is marked as failed, what waits is started."""
        self._jobs.recover()

    def all(self) -> tuple[Job, ...]:
        """Oldest first."""
        return self._jobs.list(KIND)

    def running(self) -> tuple[Job, ...]:
        return tuple(job for job in self.all() if job.state in (JobState.QUEUED, JobState.RUNNING))

    def stop(self) -> Job:
        """Stop the running one."""
        found = self.running()
        if not found:
            raise NotFoundError("No training is running.")
        return self._jobs.cancel(found[0].id)

    def wait(self, job: Job, seconds: float) -> Job:
        return self._jobs.wait(job.id, seconds)

    def as_monai_label(self, job: Job) -> dict[str, Any]:
        """The job the way ``GET /train/`` shows it."""
        details = list(self._jobs.log(job.id, 20))
        return {
            "id": job.id,
            "status": _WORDS[job.state],
            "request": {"model": TrainerName.CLASSIFIER},
            "start_ts": _time(job.started or job.created),
            "end_ts": _time(job.ended),
            "details": [*details, job.reason] if job.reason else details,
        }


def _time(moment: str | None) -> str | None:
    return monai_time(datetime.fromisoformat(moment)) if moment else None
