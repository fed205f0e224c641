"""Readers who sit down to levels without Slicer, and what is kept of what they said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from clients.conftest import PASSWORD, Ward
from spine_fracture_reading.connection import Connection, UnreachableError
from spine_fracture_reading.reading import Sitting, Task
from sqlalchemy import select

from spine_fracture.cohort.models import Read
from spine_fracture.cohort.people import Role
from spine_fracture.cohort.reads import STANDING


def signed_in(ward: Ward, name: str, *roles: Role) -> Connection:
    connection = Connection(ward.url)
    connection.sign_in(ward.reader(name, *roles), PASSWORD)
    return connection


def at_hand(sitting: Sitting) -> Task:
    """The next level, before the reader."""
    task = sitting.next()
    assert task is not None
    sitting.shown()
    return task


def reads_by(ward: Ward, reader: str) -> list[Read]:
    with ward.server.room.project.session() as session:
        query = select(Read).where(Read.reader == reader, Read.state.in_(STANDING)).order_by(Read.id)
        return list(session.scalars(query))


def reads_of(ward: Ward, level_id: int) -> list[Read]:
    with ward.server.room.project.session() as session:
        query = select(Read).where(Read.level_id == level_id, Read.state.in_(STANDING))
        return list(session.scalars(query))


def ward_reader(sitting: Any) -> str:
    return str(sitting._connection.get("/review/me")["id"])


@contextmanager
def answers_lost() -> Iterator[None]:
    """What is sent arrives, and its acknowledgement does not."""
    post = Connection.post

    def deaf(self: Connection, path: str, content: dict[str, Any]) -> dict[str, Any]:
        post(self, path, content)
        raise UnreachableError("The connection broke off: try again.")

    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(Connection, "post", deaf)
        yield


@contextmanager
def no_level_follows(**told: Any) -> Iterator[None]:
    """The server takes everything, answers with what is ``told`` too, and gives no next level."""
    post = Connection.post

    def no_next(self: Connection, path: str, content: dict[str, Any]) -> dict[str, Any]:
        if path == "/review/next":
            raise UnreachableError("The connection broke off: try again.")
        return post(self, path, content) | told

    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(Connection, "post", no_next)
        yield
