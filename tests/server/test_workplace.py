"""MONAI Label's folders never stay in the package."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

import pytest

from spine_fracture.server.workplace import clear_package, working_app


def test_the_working_app_is_one_import_and_made_once(tmp_path: Path) -> None:
    folder = working_app(tmp_path)
    main = folder / "main.py"
    assert "from spine_fracture.main import SpineFractureApp" in main.read_text()
    made = main.stat().st_mtime_ns
    assert working_app(tmp_path) == folder
    assert main.stat().st_mtime_ns == made


def test_what_start_server_makes_is_undone_and_its_log_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    package, home = tmp_path / "package", tmp_path / "home"
    for name in ("model", "lib", "logs", "bin"):
        (package / name).mkdir(parents=True)
    logger = logging.getLogger("server.tests.workplace")
    handler = RotatingFileHandler(package / "logs" / "app.log")
    logger.addHandler(handler)
    logger.warning("before")
    clear_package(home, package)
    logger.warning("after")
    assert list(package.iterdir()) == []
    assert (home / "logs" / "app.log").read_text().split() == ["before", "after"]
    for left in logger.handlers:
        left.close()
    logger.handlers.clear()


def test_a_folder_that_holds_something_stays(tmp_path: Path) -> None:
    (tmp_path / "package" / "model").mkdir(parents=True)
    (tmp_path / "package" / "model" / "mine.txt").write_text("keep")
    clear_package(tmp_path / "home", tmp_path / "package")
    assert (tmp_path / "package" / "model" / "mine.txt").exists()
