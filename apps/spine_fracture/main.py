"""MONAI Label's entry point: the app that its own server loads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import HTTPException
from monailabel.config import settings as monai_settings
from monailabel.interfaces.app import MONAILabelApp

from spine_fracture.cohort.users import any_user
from spine_fracture.errors import InputError, NotFoundError, SpineFractureError
from spine_fracture.server.datastore import SpineDatastore
from spine_fracture.server.info import DESCRIPTION, LABELS, NAME, package_version
from spine_fracture.server.room import DEFAULT_CENTRE, ReadingRoom, open_room
from spine_fracture.server.tasks import tasks_of
from spine_fracture.server.workplace import clear_package
from spine_fracture.settings import settings


class SpineFractureApp(MONAILabelApp):  # type: ignore[misc]
    """Our parts behind MONAI Label's own routes; ``spine_fracture.server.asgi`` is the better server."""

    def __init__(self, app_dir: str, studies: str, conf: dict[str, str]) -> None:
        # Sessions keep uploaded pictures on disk, and scoring after each sample starts a process each time.
        monai_settings.MONAI_LABEL_SESSIONS = False
        monai_settings.MONAI_LABEL_AUTO_UPDATE_SCORING = False
        home = settings().home
        clear_package(home)
        self._room = open_room(home, studies, conf.get("centre", DEFAULT_CENTRE))
        _refuse_users(self._room)
        self._tasks = tasks_of(self._room)
        super().__init__(app_dir, studies, conf, NAME, DESCRIPTION, package_version(), LABELS)

    def init_datastore(self) -> SpineDatastore:
        return SpineDatastore(self._room)

    def init_infers(self) -> dict[str, Any]:
        return dict(self._tasks.infers)

    def init_trainers(self) -> dict[str, Any]:
        return dict(self._tasks.trainers)

    def init_strategies(self) -> dict[str, Any]:
        return dict(self._tasks.strategies)

    def init_scoring_methods(self) -> dict[str, Any]:
        return dict(self._tasks.scoring)

    def on_init_complete(self) -> None:
        self._room.start()

    def infer(self, request: dict[str, Any], datastore: Any = None) -> dict[str, Any]:
        """By image id only: MONAI Label itself would open any path of the server."""
        with _told():
            file, params = self._task(self._infers, request.get("model"))(request)
        return {"label": file, "tag": "original", "file": file, "params": params}

    def next_sample(self, request: dict[str, Any]) -> dict[str, Any]:
        with _told():
            strategy = self._task(self._strategies, request.get("strategy"))
            sample: dict[str, Any] = strategy(request, self.datastore()) or {}
        return sample

    def train(self, request: dict[str, Any]) -> dict[str, Any]:
        with _told():
            trained: dict[str, Any] = self._task(self._trainers, request.get("model"))(
                request, self.datastore()
            )
        return trained

    def _download_dcmqi_tools(self) -> None:
        """Nothing is downloaded at run time, and nothing here needs the tools."""

    @staticmethod
    def _task(tasks: dict[str, Any], name: object) -> Any:
        if name not in tasks:
            raise NotFoundError(f"There is no {name!r}: use one of {', '.join(tasks)}.")
        return tasks[str(name)]


def _refuse_users(room: ReadingRoom) -> None:
    """MONAI Label's own routes would let everybody in."""
    with room.project.session() as session:
        if any_user(session):
            raise InputError(
                "This project has users, and MONAI Label's own server knows none of them: run spine-fracture "
                "serve, or add --uvicorn_app spine_fracture.server.asgi:app."
            )


@contextmanager
def _told() -> Iterator[None]:
    """MONAI Label's routes show a client only the errors of its own web framework."""
    try:
        yield
    except SpineFractureError as error:
        raise HTTPException(error.http_status, str(error)) from error
