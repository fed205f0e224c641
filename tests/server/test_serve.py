"""The commands ``spine-fracture serve`` and ``app-folder``, and what they import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from typer.testing import CliRunner

from spine_fracture.cli import cli
from spine_fracture.settings import settings


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


def test_the_app_folder_lies_in_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPINE_FRACTURE_HOME", str(tmp_path))
    settings.cache_clear()
    try:
        result = CliRunner().invoke(cli, ["app-folder"])
    finally:
        settings.cache_clear()
    assert result.output.strip() == str(tmp_path / "app")
    assert (tmp_path / "app" / "main.py").is_file()


def test_our_application_does_not_import_what_takes_monai_label_so_long() -> None:
    seen = "import sys, spine_fracture.server.asgi; print({'monai', 'monailabel.app'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", seen], text=True).strip() == "set()"
