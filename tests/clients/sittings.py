"""Readers who sit down to levels without Slicer, and what is kept of what they said."""

from __future__ import annotations

from typing import Any

from clients.conftest import PASSWORD, Ward
from spine_fracture_reading.connection import Connection
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
