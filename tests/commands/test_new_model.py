"""No command trains over a model."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from spine_fracture.bundle import SHIPPED_WEIGHTS
from spine_fracture.cli import cli
from spine_fracture.errors import InputError


@pytest.mark.parametrize("command", [["classifier"], ["detector"], ["system", "majority", "--cohort", "C"]])
def test_a_folder_that_holds_a_model_is_not_trained_over(command: list[str], tmp_path: Path) -> None:
    held = tmp_path / "held"
    shutil.copytree(SHIPPED_WEIGHTS / "classifier", held)
    before = {path.name: path.read_bytes() for path in held.iterdir()}
    refused = CliRunner().invoke(cli, ["train", *command, "--out", str(held)])
    assert isinstance(refused.exception, InputError)
    assert "give another --out" in str(refused.exception)
    assert {path.name: path.read_bytes() for path in held.iterdir()} == before
