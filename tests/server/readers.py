"""Readers at the running server: through the reading room's routes, or through MONAI Label's client."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from monailabel.client.client import MONAILabelClient
from server.running import RunningServer

from spine_fracture.cohort.people import Role
from spine_fracture.cohort.users import add_token, add_user
from spine_fracture.server.routes.review import CLIENT

PASSWORD = "correct horse battery"
Task = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Reader:
    """A browser window of one reader; ``tab`` is what the window calls itself."""

    web: httpx.Client
    tab: str = "window-1"

    def at(self, tab: str) -> Reader:
        """Another window of the same reader."""
        return Reader(self.web, tab)

    def post(self, path: str, **content: object) -> httpx.Response:
        return self.web.post(f"/review/{path}", json={"tab": self.tab, **content})

    def next(self, work_list: str = "assisted", **asked: object) -> Task:
        return answer(self.post("next", list=work_list, **asked))

    def submit(self, task: Task, diagnosis: str = "normal", **said: object) -> httpx.Response:
        return self.post("reads", **read_of(task, diagnosis, **said))

    def shift(self, task: Task, by: int = 1) -> httpx.Response:
        """All names of the task's study by one."""
        seen = {"level_id": task["level_id"], "level_version": task["level_version"]}
        return self.post(f"studies/{task['study']}/shift", by=by, **seen)


def read_of(task: Task, diagnosis: str = "normal", **said: object) -> dict[str, object]:
    """What the page sends for a task, without the window."""
    read = {
        "level_id": task["level_id"],
        "level_version": task["level_version"],
        "token": uuid.uuid4().hex,
        "diagnosis": diagnosis,
        "features": [],
        "confidence": 4,
        "basis": "imaging",
        "seconds": 12.5,
        "note": "",
        "name": None,
        "box": None,
    }
    return read | said


def answer(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def web(server: RunningServer, **headers: str) -> httpx.Client:
    return httpx.Client(base_url=server.url, headers={"X-Reading-Client": CLIENT, **headers}, timeout=30)


def new_user(server: RunningServer, name: str, roles: Collection[Role] = (Role.READER,)) -> None:
    with server.room.project.transaction() as session:
        add_user(session, name, PASSWORD, roles)


def signed_in(server: RunningServer, name: str) -> Reader:
    """The user's first window; signing in is by the page's own form."""
    client = web(server)
    response = client.post("/sign-in", data={"name": name, "password": PASSWORD})
    assert response.status_code == 303, response.text
    return Reader(client)


def service_token(server: RunningServer, name: str) -> str:
    with server.room.project.transaction() as session:
        return add_token(session, name)


def speaking_for(server: RunningServer, reader: str, token: str, folder: Path) -> MONAILabelClient:
    """MONAI Label's client for a reader, let in by a service token."""
    client = MONAILabelClient(server.url, tmpdir=str(folder), client_id=reader)
    client.update_auth({"token_type": "bearer", "access_token": token})
    return client


def next_assisted(client: MONAILabelClient, folder: Path) -> dict[str, Any]:
    """The first sample that shows what the models think; blinded ones before it are answered."""
    while (sample := client.next_sample("uncertainty", {}))["mode"] == "blinded":
        read = folder / "blinded.json"
        read.write_text(json.dumps({"level_id": sample["level_id"], "diagnosis": "normal"}))
        client.save_label(sample["id"], str(read))
    found: dict[str, Any] = sample
    return found
