"""What the routes share: what stands behind the application, who asks, and request parameters."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from spine_fracture.cohort.people import Role
from spine_fracture.errors import InputError
from spine_fracture.server.auth import Door, Principal, principal_of
from spine_fracture.server.datastore import SpineDatastore
from spine_fracture.server.room import ReadingRoom
from spine_fracture.server.tasks import Tasks, tasks_of


@dataclass(frozen=True, eq=False)
class ServerParts:
    """The room, its door, and MONAI Label's view of the room."""

    room: ReadingRoom
    door: Door
    tasks: Tasks
    datastore: SpineDatastore

    @classmethod
    def of(cls, room: ReadingRoom) -> ServerParts:
        return cls(room, Door(room.project), tasks_of(room), SpineDatastore(room))


async def _parts(request: Request) -> ServerParts:
    parts: ServerParts = request.app.state.parts
    return parts


async def _room(request: Request) -> ReadingRoom:
    parts: ServerParts = request.app.state.parts
    return parts.room


async def _door(request: Request) -> Door:
    parts: ServerParts = request.app.state.parts
    return parts.door


async def _who(request: Request) -> Principal:
    return principal_of(request)  # the gate has asked the database already


async def engineer(who: Annotated[Principal, Depends(_who)]) -> None:
    """For routers that are the engineer's alone."""
    who.needs(Role.ENGINEER)


Parts = Annotated[ServerParts, Depends(_parts)]
Room = Annotated[ReadingRoom, Depends(_room)]
Doorway = Annotated[Door, Depends(_door)]
Who = Annotated[Principal, Depends(_who)]


def parse_params(text: str) -> dict[str, Any]:
    """The ``params`` form field of MONAI Label's clients."""
    try:
        params = json.loads(text or "{}")
    except json.JSONDecodeError:
        raise InputError("params is not JSON.") from None
    if not isinstance(params, dict):
        raise InputError("params must be a JSON object.")
    return params
