"""Work over many studies behind the requests, one piece of each kind at a time.

What it makes (predictions) is in the database, study by study, so a restart loses only the list of
runs. Training, which must survive a restart, is a job of :mod:`spine_fracture.training.jobs` instead.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from spine_fracture.errors import ConflictError, NotFoundError, SpineFractureError
from spine_fracture.server.companion import Companion

_log = logging.getLogger(__name__)
#: One step of the work: does it, and says in a line what came of it.
Step = Callable[[], str]


@dataclass(eq=False)
class Run:
    """One piece of work and how far it is; ``status`` is in MONAI Label's words."""

    request: dict[str, Any]
    worker: Companion
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "RUNNING"
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended: datetime | None = None
    done: int = 0
    details: deque[str] = field(default_factory=lambda: deque(maxlen=20))

    def as_monai_label(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "status": self.status,
            "request": self.request,
            "start_ts": monai_time(self.started),
            "end_ts": monai_time(self.ended) if self.ended else None,
            "details": list(self.details),
        }


class Background:
    """The runs of one kind; a second one is refused while the first runs."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._runs: list[Run] = []
        self._lock = threading.Lock()

    def start(self, request: dict[str, Any], steps: Sequence[Step], *, wait: bool = False) -> Run:
        """Begin; each step's error is noted and the next one goes on."""
        with self._lock:
            if self._running() is not None:
                raise ConflictError(f"{self._kind} runs already: wait for it, or stop it first.")
            run = Run(request, Companion(self._kind))
            self._runs.append(run)
        run.worker.start(lambda: _work(run, steps))
        if wait:
            run.worker.join()
        return run

    def stop(self) -> Run:
        """Let the running one end after its current step."""
        run = self.running()
        run.worker.closing.set()
        return run

    def close(self) -> None:
        """Stop the running one, and wait for its step."""
        run = self._running()
        if run is not None:
            run.worker.close()

    def last(self) -> Run:
        if not self._runs:
            raise NotFoundError(f"No {self._kind} was started.")
        return self._runs[-1]

    def all(self) -> tuple[Run, ...]:
        return tuple(self._runs)

    def running(self) -> Run:
        run = self._running()
        if run is None:
            raise NotFoundError(f"No {self._kind} is running.")
        return run

    def _running(self) -> Run | None:
        return next((run for run in self._runs if run.status == "RUNNING"), None)


def _work(run: Run, steps: Sequence[Step]) -> None:
    failed = 0
    for step in steps:
        if run.worker.closing.is_set():
            break
        try:
            run.details.append(step())
        except SpineFractureError as error:
            failed += 1
            run.details.append(f"not done: {error}")
        except Exception as error:
            failed += 1
            _log.error("a step of %s failed: %s", run.id, type(error).__name__)
            run.details.append(f"not done: {type(error).__name__}, which is a defect of ours")
        run.done += 1
    run.ended = datetime.now(UTC)
    everything_failed = bool(steps) and failed == len(steps)
    run.status = "STOPPED" if run.worker.closing.is_set() else "ERROR" if everything_failed else "DONE"


def monai_time(moment: datetime) -> str:
    """Local time as MONAI Label writes it."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
