"""Our application on a free port of this process, for real clients to talk to."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from spine_fracture.commands.serve import LOOPBACK
from spine_fracture.server.asgi import create_app
from spine_fracture.server.readings import Pipeline
from spine_fracture.server.room import ReadingRoom, open_room


@dataclass(frozen=True, eq=False)
class RunningServer:
    url: str
    room: ReadingRoom
    pipeline: Pipeline


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(
    home: Path, studies: str | None, pipeline: Pipeline, protocol: str = "single"
) -> Iterator[RunningServer]:
    room = open_room(home, studies, "Test centre", lambda: pipeline, protocol)
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(create_app(lambda: room, LOOPBACK), port=port, log_level="warning")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started and thread.is_alive() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert server.started, "the server did not start"
    try:
        yield RunningServer(f"http://127.0.0.1:{port}", room, pipeline)
    finally:
        server.should_exit = True
        thread.join(90)  # what the room is in the middle of ends first
