"""A project folder, opened: its settings and its catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from spine_fracture.cohort.database import connect, migrate, storage_errors, writing
from spine_fracture.errors import StorageError
from spine_fracture.settings import Settings, settings


@dataclass(frozen=True, eq=False)
class Project:
    """The handle that everything which needs the catalogue is given. Safe to share between threads."""

    settings: Settings
    engine: Engine

    @property
    def home(self) -> Path:
        return self.settings.home

    @property
    def imported_folder(self) -> Path:
        """DICOM that was made here from other formats."""
        return self.home / "imported"

    @property
    def snapshots_folder(self) -> Path:
        return self.home / "snapshots"

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session to look with; what is changed in it is not kept."""
        with storage_errors(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """A session to write with: all of it is kept when the block ends, or none of it.

        Raises :class:`~spine_fracture.errors.StorageError` when the disk or database refuses.
        """
        session = Session(writing(self.engine), expire_on_commit=False)
        with storage_errors(), session, session.begin():
            yield session


def open_project(home: Path | None = None) -> Project:
    """Open the project at ``home`` (default: the settings'), made or brought up to date if need be."""
    given = settings() if home is None else Settings(home=home)
    try:
        given.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"The project folder {given.home} cannot be made: {error.strerror}. Choose another one with "
            "SPINE_FRACTURE_HOME."
        ) from error
    engine = connect(given.database)
    with storage_errors():
        migrate(engine)
    return Project(given, engine)
