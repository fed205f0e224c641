"""The parts that train on a bare GPU box import without the server's libraries."""

from __future__ import annotations

import subprocess
import sys

import pytest

BLOCKED = ("monailabel", "pydicom", "mlflow", "sqlalchemy", "SimpleITK", "spine_fracture.server")
PARTS = (
    "geometry",
    "anatomy",
    "imaging",
    "levels",
    "bundle",
    "configuration",
    "training",
    "detection",
    "classification",
    "evaluation",
    "simulation",
)

_SCRIPT = """
import importlib, pkgutil, sys
for name in sys.argv[1].split(","):
    sys.modules[name] = None
for part in sys.argv[2].split(","):
    module = importlib.import_module("spine_fracture." + part)
    for found in pkgutil.walk_packages(getattr(module, "__path__", []), module.__name__ + "."):
        importlib.import_module(found.name)
        print(found.name)
"""


def test_training_parts_import_without_the_servers_libraries() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, ",".join(BLOCKED), ",".join(PARTS)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "spine_fracture.detection.detector" in done.stdout


@pytest.mark.parametrize(
    ("module", "slow"),
    [("cli", ("torch", "sqlalchemy", "pydicom", "scipy")), ("promotion", ("torch", "mlflow", "sklearn"))],
)
def test_a_command_starts_before_the_slow_libraries_are_there(module: str, slow: tuple[str, ...]) -> None:
    """Each imports what it needs when it is called: torch alone takes seconds."""
    asked = f"import sys, spine_fracture.{module}; print(*sorted({set(slow)} & {{*sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
