"""The database of a project: SQLite in its folder, or PostgreSQL by URL; brought up to date when opened."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import ArgumentError, DatabaseError, DataError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from spine_fracture.errors import BusyError, ConflictError, InputError, StorageError

MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_MS = 30_000
#: Any number that no other program on the same server takes for its own lock.
_MIGRATION_LOCK = 7_340_291_115


def connect(url: str) -> Engine:
    """An engine for ``url``; a SQLite file keeps what was acknowledged even when the power fails."""
    try:
        engine = create_engine(url)
    except (ArgumentError, ModuleNotFoundError) as error:
        # The URL may hold a password: it is not repeated.
        raise InputError(
            "SPINE_FRACTURE_DATABASE_URL cannot be used: give sqlite:///FILE, or "
            "postgresql+psycopg://USER@HOST/NAME and install the extra postgres."
        ) from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def writing(engine: Engine) -> Engine:
    """The same engine for transactions that write: on SQLite they queue up instead of failing half-way."""
    return engine.execution_options(begin="IMMEDIATE")


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # SQLAlchemy begins transactions itself: Python's driver would begin them too late.
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout={_BUSY_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get('begin', 'DEFERRED')}")


def migrate(engine: Engine) -> None:
    """Bring the tables up to date; several processes may do it at once.

    Raises :class:`InputError` for tables that a later release made.
    """
    config = _alembic()
    scripts = ScriptDirectory.from_config(config)
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current == scripts.get_current_head():
        return
    if current is not None and current not in {script.revision for script in scripts.walk_revisions()}:
        raise InputError("This project is of a newer version: update spine_fracture.")
    with writing(engine).begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


@contextmanager
def storage_errors() -> Iterator[None]:
    """What the database refuses, in words that name the remedy."""
    try:
        yield
    except IntegrityError as error:
        raise ConflictError(
            "Somebody else wrote the same thing at the same moment; nothing was changed: try again."
        ) from error
    except DataError as error:
        raise InputError(
            "The project's database cannot hold a value that is too long, too large or has a zero character "
            "in it. Nothing was changed: correct the value."
        ) from error
    except OverflowError as error:
        # Any computation may overflow; SQLite's driver names itself.
        if "SQLite" not in str(error):
            raise
        raise InputError("A number is too large for the project's database: give a smaller one.") from error
    except NoConnectionError as error:
        raise BusyError("Too many use the project's database at once: try again.") from error
    except OperationalError as error:
        if "locked" in str(error.orig):
            raise BusyError("The project's database is busy with another write: try again.") from error
        raise StorageError(
            f"The project's database refused: {_plain(error.orig)}. Nothing was changed. Free some space, or "
            "check the rights of the project folder and that the database server runs."
        ) from error
    except DatabaseError as error:
        if error.connection_invalidated:
            raise StorageError("The connection to the project's database was lost: try again.") from error
        if type(error) is DatabaseError:
            raise StorageError(
                f"The project's database cannot be read: {_plain(error.orig)}. Restore it from a backup."
            ) from error
        raise


def _plain(error: Any) -> str:
    """The driver's first line: it names no value and no row."""
    return str(error).strip().split("\n", 1)[0]
