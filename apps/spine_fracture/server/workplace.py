"""Where MONAI Label may write: a working app folder in the project folder, never the package."""

from __future__ import annotations

import contextlib
import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

from spine_fracture.files import write_atomically

PACKAGE = Path(__file__).parents[1]
_MAIN = '''"""The working copy of the app: MONAI Label makes its folders beside this file."""

from spine_fracture.main import SpineFractureApp

__all__ = ["SpineFractureApp"]
'''
#: What ``monailabel start_server`` makes in the folder it is given as --app.
_MADE_BY_MONAI_LABEL = ("model", "lib", "logs", "bin")


def working_app(home: Path) -> Path:
    """The folder to give MONAI Label as its app; its ``main.py`` is one import."""
    folder = home.absolute() / "app"
    main = folder / "main.py"
    if not main.is_file() or main.read_text() != _MAIN:
        write_atomically(main, _MAIN.encode())
    return folder


def clear_package(home: Path, package: Path = PACKAGE) -> None:
    """Undo what ``start_server --app <package>`` wrote into ``package``; its log goes on under ``home``.

    A folder that holds anything else, or that may not be changed, is left as it is.
    """
    logs = package / "logs"
    _move_logs(logs, home / "logs")
    for path in logs.glob("app.log*"):
        path.unlink(missing_ok=True)
    for name in _MADE_BY_MONAI_LABEL:
        with contextlib.suppress(OSError):
            (package / name).rmdir()


def _move_logs(old: Path, new: Path) -> None:
    loggers = [logging.getLogger(), *map(logging.getLogger, logging.root.manager.loggerDict)]
    moved: dict[logging.Handler, logging.Handler] = {}
    for logger in loggers:
        for handler in list(logger.handlers):
            if isinstance(handler, RotatingFileHandler) and Path(handler.baseFilename).parent == old:
                if handler not in moved:
                    moved[handler] = _reopened(handler, new)
                logger.removeHandler(handler)
                logger.addHandler(moved[handler])
    for handler in moved:
        handler.close()


def _reopened(handler: RotatingFileHandler, folder: Path) -> RotatingFileHandler:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / Path(handler.baseFilename).name
    with contextlib.suppress(FileNotFoundError), path.open("ab") as log:
        # Another server over the same package may have cleared it first.
        log.write(Path(handler.baseFilename).read_bytes())
    again = RotatingFileHandler(
        path, maxBytes=handler.maxBytes, backupCount=handler.backupCount, encoding="utf-8"
    )
    again.setFormatter(handler.formatter)
    again.setLevel(handler.level)
    return again
