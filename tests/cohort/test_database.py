"""The database: made by migrations, durable, shared by processes, and intact when the disk is full."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from made_cohort import answer, ingested, reading
from sqlalchemy import create_engine, event, func, select, text

from spine_fracture.cohort import tables
from spine_fracture.cohort.levels import store_reading
from spine_fracture.cohort.models import Centre, Read
from spine_fracture.cohort.project import Project, open_project
from spine_fracture.cohort.reads import submit_read, withdraw_read
from spine_fracture.errors import BusyError, ConflictError, InputError, StorageError


def test_the_migrations_make_the_tables_that_the_code_means(project: Project) -> None:
    with project.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, tables.METADATA) == []


def test_sqlite_keeps_what_it_acknowledged(project: Project) -> None:
    with project.engine.connect() as connection:
        found = {
            pragma: connection.execute(text(f"PRAGMA {pragma}")).scalar()
            for pragma in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}


def test_a_project_may_be_opened_many_times_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(6) as pool:
        projects = list(pool.map(open_project, [tmp_path / "home"] * 6))
    with projects[0].transaction() as session:
        session.add(Centre(name="A"))
    with projects[5].session() as session:
        assert session.scalars(select(Centre.name)).all() == ["A"]


def test_a_transaction_that_fails_leaves_nothing(project: Project) -> None:
    with pytest.raises(RuntimeError), project.transaction() as session:
        session.add(Centre(name="A"))
        session.flush()
        raise RuntimeError
    with pytest.raises(ConflictError), project.transaction() as session:
        session.add_all([Centre(name="B"), Centre(name="B")])
    with project.session() as session:
        assert session.scalar(select(func.count(Centre.id))) == 0


def test_a_full_disk_loses_nothing(project: Project, pictures: Path) -> None:
    study = ingested(project, "p1", pictures)
    with project.transaction() as session:
        level_id = store_reading(session, reading(session, study))[0].id
        submit_read(session, answer(level_id, "before"))
    # SQLite itself says that no page can be had any more.
    project.engine.dispose()
    event.listen(
        project.engine,
        "connect",
        lambda connection, _: connection.execute("PRAGMA max_page_count = 1"),
    )
    acknowledged = ["before"]
    with pytest.raises(StorageError, match="full"):
        for number in range(50):
            late = answer(level_id, f"after-{number}", reader=f"r{number}", note="x" * 2000)
            with project.transaction() as session:
                submit_read(session, late)
            acknowledged.append(late.token)
    again = open_project(project.home)
    with again.session() as session:
        assert list(session.scalars(select(Read.token).order_by(Read.id))) == acknowledged
        assert session.scalar(text("PRAGMA integrity_check")) == "ok"
    with again.transaction() as session:
        submit_read(session, answer(level_id, "when there is room again", reader="r99"))


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="SPINE_FRACTURE_HOME"):
        open_project(tmp_path / "file" / "home")


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "spine.db").write_bytes(b"not a database" * 100)
    with pytest.raises(StorageError, match="not a database"):
        open_project(tmp_path)


def test_a_project_of_a_newer_version_is_left_alone(project: Project) -> None:
    with project.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'r9999'"))
    with pytest.raises(InputError, match="newer version: update spine_fracture"):
        open_project(project.home)


def test_a_value_that_the_database_cannot_hold(project: Project) -> None:
    """SQLite limits the length of a text as PostgreSQL limits that of a column."""
    project.engine.dispose()
    event.listen(
        project.engine,
        "connect",
        lambda connection, _: connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1000),
    )
    with pytest.raises(InputError, match="too long"), project.transaction() as session:
        session.add(Centre(name="A" * 1001))
    with pytest.raises(InputError, match="too large"), project.transaction() as session:
        withdraw_read(session, 10**19, "reader-1")


def test_an_overflow_of_our_own_is_not_taken_for_the_databases(project: Project) -> None:
    with pytest.raises(OverflowError), project.session():
        raise OverflowError("math range error")


def test_more_sessions_at_once_than_there_are_connections(project: Project) -> None:
    engine = create_engine(project.engine.url, pool_size=1, max_overflow=0, pool_timeout=0.01)
    crowded = replace(project, engine=engine)
    with crowded.session() as session:
        session.scalar(select(func.count(Centre.id)))
        with pytest.raises(BusyError, match="try again"), crowded.session() as second:
            second.scalar(select(func.count(Centre.id)))


@pytest.mark.parametrize("url", ["nonsense", "nosuchdatabase://user:secret@host/name"])
def test_a_database_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("SPINE_FRACTURE_DATABASE_URL", url)
    with pytest.raises(InputError, match="extra postgres") as caught:
        open_project(tmp_path)
    assert "secret" not in str(caught.value)
