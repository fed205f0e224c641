"""Settings come from variables; one that cannot be used is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from spine_fracture import cli
from spine_fracture.errors import InputError
from spine_fracture.settings import Settings, settings


def test_variables_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SPINE_FRACTURE_PORT", "8123")
    found = Settings(home=tmp_path)
    assert (found.port, found.home) == (8123, tmp_path)
    assert found.database.endswith(f"{tmp_path}/spine.db")


@pytest.mark.parametrize(("value", "reason"), [("abc", "integer"), ("-1", "greater"), ("99999", "less")])
def test_a_value_that_cannot_be_used_names_its_variable(
    value: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPINE_FRACTURE_PORT", value)
    with pytest.raises(InputError, match=rf"SPINE_FRACTURE_PORT: .*{reason}"):
        Settings()


def test_an_error_on_the_command_line_is_one_line_whatever_is_in_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.cache_clear()
    monkeypatch.setattr("sys.argv", ["spine-fracture", "evaluate-real", "--data", "no [/x] such"])
    with pytest.raises(SystemExit) as ended:
        cli.app()
    assert ended.value.code == 2
    assert "no [/x] such" in capsys.readouterr().err
