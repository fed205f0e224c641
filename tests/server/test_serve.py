"""The commands ``spine-fracture serve`` and ``app-folder``, and what they import."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from server.running import free_port
from typer.testing import CliRunner

from spine_fracture.cli import cli
from spine_fracture.cohort.people import Role
from spine_fracture.cohort.project import open_project
from spine_fracture.cohort.users import add_user
from spine_fracture.commands import serve
from spine_fracture.errors import InputError, NotFoundError, StorageError
from spine_fracture.server.asgi import create_app
from spine_fracture.server.room import open_room
from spine_fracture.settings import settings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project folder that the settings point to, and a port that nobody listens on."""
    monkeypatch.setenv("SPINE_FRACTURE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SPINE_FRACTURE_PORT", str(free_port()))
    settings.cache_clear()
    yield tmp_path / "home"
    settings.cache_clear()


@pytest.mark.usefixtures("home")
def test_it_listens_on_this_machine_only_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[FastAPI, dict[str, object]]] = []
    monkeypatch.delenv("SPINE_FRACTURE_PORT")
    monkeypatch.setattr(serve, "_require_free", lambda address, port: None)
    monkeypatch.setattr(uvicorn, "run", lambda app, **options: started.append((app, options)))
    result = CliRunner().invoke(cli, ["serve"])
    assert result.exit_code == 0, result.output
    assert "not for clinical use" in result.output
    ((app, options),) = started
    assert (options["host"], options["port"]) == ("127.0.0.1", 8000)
    paths = app.openapi()["paths"]
    assert "/infer/{model}" in paths
    assert not any(path.startswith(("/model", "/session", "/logs")) for path in paths)


def test_other_machines_are_let_in_only_where_people_sign_in(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[dict[str, object]] = []
    monkeypatch.setattr(uvicorn, "run", lambda app, **options: started.append(options))
    for host in ("0.0.0.0", "192.0.2.7", "::"):
        refused = CliRunner().invoke(cli, ["serve", "--host", host])
        assert isinstance(refused.exception, InputError)
        assert "spine-fracture user add" in str(refused.exception)
    assert started == []
    with open_project(home).transaction() as session:
        add_user(session, "reader-1", "correct horse battery", [Role.READER])
    assert CliRunner().invoke(cli, ["serve", "--host", "0.0.0.0"]).exit_code == 0
    assert started[0]["host"] == "0.0.0.0"


@pytest.mark.usefixtures("home")
def test_a_port_that_something_listens_on_is_told_before_it_is_announced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(uvicorn, "run", lambda app, **options: pytest.fail("it listened"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = CliRunner().invoke(cli, ["serve", "--port", str(taken.getsockname()[1])])
    assert isinstance(result.exception, InputError) and "--port" in str(result.exception)
    assert "Serving on" not in result.output


@pytest.mark.usefixtures("home")
def test_a_protocol_is_one_that_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uvicorn, "run", lambda app, **options: None)
    assert CliRunner().invoke(cli, ["serve", "--protocol", "double"]).exit_code == 0
    wrong = CliRunner().invoke(cli, ["serve", "--protocol", "../double"])
    assert isinstance(wrong.exception, NotFoundError)


def test_monai_labels_own_server_does_not_serve_a_project_with_users(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spine_fracture.main import SpineFractureApp

    with open_project(home).transaction() as session:
        add_user(session, "reader-1", "correct horse battery", [Role.READER])
    with pytest.raises(InputError, match="--uvicorn_app"):
        SpineFractureApp(str(tmp_path), str(tmp_path), {})


def test_a_project_folder_that_cannot_be_made_is_told_before_anything_listens(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.write_text("a file is in its place")
    monkeypatch.setattr(uvicorn, "run", lambda app, **options: pytest.fail("it listened"))
    result = CliRunner().invoke(cli, ["serve"])
    assert isinstance(result.exception, StorageError)
    assert "Serving on" not in result.output


def test_under_start_server_too_it_is_one_line(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    home.write_text("a file is in its place")
    server = uvicorn.Server(uvicorn.Config(create_app(lambda: open_room(home, None, "here")), port=0))
    with caplog.at_level(logging.ERROR, "uvicorn.error"), pytest.raises(SystemExit):
        logging.getLogger("uvicorn").propagate = True
        server.run()
        sys.exit(0 if server.started else 3)
    assert "cannot be made" in caplog.text
    assert "Traceback" not in caplog.text


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
