"""A database of an earlier version is brought up to date with all that it holds; PostgreSQL is spoken too."""

from __future__ import annotations

import importlib
from io import StringIO
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Engine, func, select, text

from spine_fracture.anatomy import Basis, Diagnosis
from spine_fracture.cohort import tables
from spine_fracture.cohort.database import MIGRATIONS, connect, writing
from spine_fracture.cohort.models import Read, Series
from spine_fracture.cohort.people import User
from spine_fracture.cohort.project import open_project

_WHEN = "2026-01-02 03:04:05.000006"
_BOX = '{"centre": [0, 0, 0], "size": [1, 1, 1], "axes": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]}'
_ROWS = (
    "INSERT INTO centre VALUES (1, 'north')",
    f"INSERT INTO patient VALUES (1, 'p1', 1, 'train', NULL, NULL, '{_WHEN}')",
    f"INSERT INTO study VALUES (1, '1.2.3', 1, '{_WHEN}', NULL, NULL, NULL, '[]')",
    f"INSERT INTO level VALUES (1, 1, 'L1', '{_BOX}', 1, 'detected', 1, 3)",
    "INSERT INTO read VALUES (1, 1, 'ann', 't1', 'blinded', 'submitted', 'L1', 'malignant', '[]', 4, 20.0,"
    f" 'a note', NULL, '', NULL, NULL, NULL, '{_WHEN}')",
    "INSERT INTO study_folder VALUES (1, '/pictures')",
    *(
        f"INSERT INTO series VALUES ({number}, '1.2.3.{number}', 1, 1, 'dicom', '{sequence}', '{plane}',"
        f" 'measured', 3, 9, 9, NULL, NULL, NULL, NULL, 0, '{why}', NULL)"
        for number, (sequence, plane, why) in enumerate(
            (
                ("T2_FS", "sagittal", "sequence T2_FS: plain T1 and T2 are read"),
                ("T2_FS", "axial", "axial slices: sagittal ones are read"),
                ("unknown", "sagittal", "sequence unknown: plain T1 and T2 are read"),
            ),
            start=1,
        )
    ),
)


def upgrade(engine: Engine, to: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with writing(engine).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, to)


def test_a_database_of_the_first_version_is_opened_with_all_it_holds(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'spine.db'}")
    upgrade(engine, "0001")
    with engine.begin() as connection:
        for row in _ROWS:
            connection.execute(text(row))
    engine.dispose()

    project = open_project(tmp_path)

    with project.session() as session:
        (read,) = session.scalars(select(Read))
        assert (read.diagnosis, read.note, read.basis) == (Diagnosis.MALIGNANT, "a note", Basis.IMAGING)
        assert (read.level.version, read.level.current, read.level.edited_by) == (3, True, None)
        assert session.scalar(select(func.count(User.id))) == 0
        assert [(one.usable, one.reason) for one in session.scalars(select(Series).order_by(Series.id))] == [
            (True, ""),
            (False, "axial slices: sagittal ones are read"),
            (False, "sequence unknown: T1, T2, T2_FS, T1_CE are read"),
        ]
    with project.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, tables.METADATA) == []


def test_the_way_back_leaves_the_first_tables(tmp_path: Path) -> None:
    project = open_project(tmp_path)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with writing(project.engine).begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
        names = set(connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars())
    assert "read" in names and not names & {"user", "lease", "skip", "report"}


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("r0001_first_tables", "CREATE TABLE"),
        ("r0002_reading_desk", "CREATE TABLE"),
        ("r0003_further_series", "UPDATE series"),
        ("r0004_demographics", "ALTER TABLE patient ADD COLUMN sex VARCHAR(32)"),
    ],
)
def test_postgresql_understands_every_step(module: str, said: str) -> None:
    written = StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": written}
    )
    with Operations.context(context):
        importlib.import_module(f"spine_fracture.cohort.migrations.versions.{module}").upgrade()
    assert said in written.getvalue()
    if module == "r0002_reading_desk":
        assert 'CREATE TABLE "user"' in written.getvalue()
        assert (
            "ALTER TABLE read ADD COLUMN basis VARCHAR(32) DEFAULT 'imaging' NOT NULL" in written.getvalue()
        )
