"""Fixtures of the catalogue's tests: a project folder of its own for each."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from spine_fracture.cohort.project import Project, open_project


@pytest.fixture(scope="session")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose tables were made once, for the others to copy."""
    home = tmp_path_factory.mktemp("empty") / "home"
    open_project(home).engine.dispose()
    return home


@pytest.fixture
def project(tmp_path: Path, empty_home: Path) -> Project:
    return open_project(shutil.copytree(empty_home, tmp_path / "home"))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Where a test writes the studies that it takes in."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    return folder
