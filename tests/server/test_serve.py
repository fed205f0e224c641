"""The command ``spine-fracture serve``."""

from __future__ import annotations

import pytest
import uvicorn
from fastapi import FastAPI
from typer.testing import CliRunner

from spine_fracture.cli import cli


def test_it_listens_on_this_machine_only_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[FastAPI, dict[str, object]]] = []
    monkeypatch.setattr(uvicorn, "run", lambda app, **options: started.append((app, options)))
    result = CliRunner().invoke(cli, ["serve"])
    assert result.exit_code == 0, result.output
    assert "not for clinical use" in result.output
    ((app, options),) = started
    assert (options["host"], options["port"]) == ("127.0.0.1", 8000)
    paths = app.openapi()["paths"]
    assert "/infer/{model}" in paths
    assert not any(path.startswith(("/proxy", "/model", "/session", "/logs")) for path in paths)
