"""``spine-fracture read``: what was not read yet is read once; a refusal names no file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from spine_fracture.cli import cli
from spine_fracture.cohort.ingest import ingest
from spine_fracture.cohort.project import open_project
from spine_fracture.cohort.studies import find_study
from spine_fracture.files import without_names
from spine_fracture.settings import settings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("SPINE_FRACTURE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    settings.cache_clear()
    yield tmp_path / "home"
    settings.cache_clear()


def test_names_of_files_are_left_out_of_reasons() -> None:
    files = [Path("/data/Doe/1.png"), Path("/data/Doe/11.png")]
    said = without_names("11.png is cut short, /data/Doe/1.png too.", files)
    assert said == "the file is cut short, the file too."


def test_studies_that_cannot_be_read_are_listed_with_a_reason_that_names_no_file(
    home: Path, tmp_path: Path
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    rng = np.random.default_rng(0)
    for sequence in ("T1", "T2"):
        grey = rng.integers(0, 255, (128, 128), dtype=np.uint8)
        Image.fromarray(grey).save(pictures / f"doe_{sequence}.png")
    (uid,) = ingest(pictures, "Centre [/x]", open_project()).added
    (pictures / "doe_T1.png").write_bytes(b"gone bad")
    done = CliRunner().invoke(cli, ["read"])
    assert done.exit_code == 0, done.output
    assert "0 studies read" in done.output and "1 refused" in done.output
    assert uid[:20] in done.output and "doe" not in done.output
    with open_project().session() as session:
        (note,) = find_study(session, uid).notes
    assert "the file is no PNG or JPEG picture" in note
    shown = CliRunner().invoke(cli, ["cohort"])
    assert shown.exit_code == 0 and "Centre [/x]" in shown.output
    assert "no PNG or JPEG picture" in shown.output
