"""The command: DICOM out, truth beside it, and a second run that changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from spine_fracture.anatomy import Level
from spine_fracture.cli import cli
from spine_fracture.commands.phantom import phantom
from spine_fracture.errors import InputError
from spine_fracture.geometry import PixelBox
from spine_fracture.simulation.truth import read_truth

RECIPE = """
name: tiny
patients: 2
first_seed: 5
first: L3
last: S1
slices: 3
even_levels: 0.5
coverage: {lumbar: 1.0, thoracolumbar: 0.0}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("cohort")
    recipe = folder / "tiny.yaml"
    recipe.write_text(RECIPE)
    phantom(folder / "out", str(recipe))
    return folder / "out", recipe


def test_studies_are_dicom_by_centre_and_patient(made: tuple[Path, Path]) -> None:
    out, _ = made
    files = sorted((out / "studies").rglob("*.dcm"))
    assert len(files) == 2 * 2 * 3
    assert {path.relative_to(out / "studies").parts[1] for path in files} == {
        "phantom-000005",
        "phantom-000006",
    }
    assert not list((out / "studies").rglob("*.json"))


def test_truth_names_boxes_of_the_files_that_were_written(made: tuple[Path, Path]) -> None:
    out, _ = made
    written = {path.stem for path in (out / "studies").rglob("*.dcm")}
    for truth in read_truth(out / "truth"):
        assert {level.level for level in truth.levels} >= {Level.L4, Level.L5, Level.S1}
        for level in truth.levels:
            assert level.boxes
            for box in level.boxes:
                assert box.slice_uid in written
                assert PixelBox(*box.box).area > 0


def test_a_second_run_changes_nothing(made: tuple[Path, Path]) -> None:
    out, recipe = made
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.dcm")}
    phantom(out, str(recipe))
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.dcm")} == before


def test_a_folder_belongs_to_one_recipe(made: tuple[Path, Path], tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(RECIPE.replace("patients: 2", "patients: 3"))
    with pytest.raises(InputError, match="another recipe"):
        phantom(made[0], str(other))


def test_damaged_truth_is_refused(tmp_path: Path) -> None:
    (tmp_path / "phantom-000001.json").write_text("{}")
    with pytest.raises(InputError, match="make the cohort again"):
        read_truth(tmp_path)


def test_the_command_is_on_the_command_line() -> None:
    answer = CliRunner().invoke(cli, ["phantom", "--help"])
    assert answer.exit_code == 0
    assert "--config" in answer.output
