"""The extension's own unit tests, which need no browser: Node runs them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

CLIENT = Path(__file__).parents[2] / "clients" / "ohif"


def test_node_is_content() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.fail("Node is not installed: run tests/setup-system.sh (make test does).")
    tests = sorted(str(path) for path in (CLIENT / "test").glob("*.test.js"))
    assert tests
    done = subprocess.run([node, "--test", *tests], cwd=CLIENT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-4000:]
