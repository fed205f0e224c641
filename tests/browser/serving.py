"""Our application in a process of its own, so that it can be killed and started again on the same address.

The process is forked from one that has the libraries loaded already: a start takes no longer than opening
the project. It serves what ``spine-fracture serve`` serves; the models are not loaded, because the project
that it opens was read by them before (see :mod:`browser.made_cohort`).
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import sys
import time
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import httpx

TESTS = Path(__file__).parents[1]
#: What takes long to import; the processes that serve are forked from one that has done it.
_PRELOADED = ["spine_fracture.server.asgi", "mlflow"]


def processes() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    return context


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class Plan:
    """What to serve; ``studies`` is a folder or the address of an archive."""

    home: Path
    studies: str
    protocol: str = "single"
    centre: str = "Test centre"
    port: int = field(default_factory=free_port)

    @property
    def log(self) -> Path:
        return self.home.parent / f"{self.home.name}.log"


def serve(plan: Plan) -> None:
    """Runs in the process of its own until that is ended."""
    write_to(plan.log)
    import uvicorn

    from spine_fracture.commands.serve import LOOPBACK
    from spine_fracture.server.asgi import create_app
    from spine_fracture.server.room import open_room

    standing = AlreadyRead(plan.home)
    room = open_room(plan.home, plan.studies, plan.centre, lambda: standing, plan.protocol)
    uvicorn.run(create_app(lambda: room, LOOPBACK), port=plan.port, log_level="warning")


def write_to(log: Path) -> None:
    """What this process says goes into a file."""
    file = log.open("ab")
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(file.fileno(), stream.fileno())


class AlreadyRead:
    """Stands where the models stand, in a project whose studies they have read."""

    def __init__(self, home: Path) -> None:
        from spine_fracture.cohort.project import open_project
        from spine_fracture.promotion import open_registry
        from spine_fracture.server.readings import ModelPair

        registry = open_registry(open_project(home))
        self.models = ModelPair(*(registry.champion(task).name for task in ("detection", "classification")))

    def read(self, pair: object, study_uid: str) -> object:
        raise AssertionError(f"study {study_uid} was not read beforehand")


class Server:
    """One server; :meth:`kill` is ``kill -9``."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.url = f"http://127.0.0.1:{plan.port}"
        self._process: ForkServerProcess | None = None

    def start(self) -> Server:
        process = processes().Process(target=serve, args=(self.plan,), daemon=True)
        process.start()
        self._process = process
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and process.is_alive():
            try:
                httpx.get(f"{self.url}/review/me", timeout=2, trust_env=False)
                return self
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError(f"the server did not start:\n{self.plan.log.read_text()[-3000:]}")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join(20)
            self._process = None

    def stop(self) -> None:
        """As on Ctrl-C; killed when that takes too long."""
        if self._process is not None:
            self._process.terminate()
            self._process.join(10)
            self.kill()
