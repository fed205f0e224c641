"""Fixtures every test may use."""

from __future__ import annotations

import atexit
import os
import sys
from pathlib import Path

import pytest

_ended: list[int] = []


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    _ended.append(int(exitstatus))


@atexit.register  # first of all, so that it is called last
def _leave() -> None:
    """End with what the tests said. Many models of OpenVINO, torch and LightGBM lived in this one process,
    which was seen to crash while their libraries were unloaded, after every test had passed.
    """
    if _ended:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_ended[-1])


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of open pictures named by SPINE_FRACTURE_REAL_DATA, or a skip that says why."""
    folder = os.environ.get("SPINE_FRACTURE_REAL_DATA")
    if not folder:
        pytest.skip("SPINE_FRACTURE_REAL_DATA is not set: the real pictures are not on this machine")
    return Path(folder)
