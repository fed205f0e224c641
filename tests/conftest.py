"""Fixtures every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of open pictures named by SPINE_FRACTURE_REAL_DATA, or a skip that says why."""
    folder = os.environ.get("SPINE_FRACTURE_REAL_DATA")
    if not folder:
        pytest.skip("SPINE_FRACTURE_REAL_DATA is not set: the real pictures are not on this machine")
    return Path(folder)
