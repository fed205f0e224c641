"""``evaluate-real`` on a folder laid out like the open set, without notes and with a broken picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from spine_fracture.anatomy import Level
from spine_fracture.cli import cli
from spine_fracture.dicom.pairing import scaled
from spine_fracture.errors import InputError
from spine_fracture.simulation.recipe import CoverageShares, PhantomRecipe
from spine_fracture.simulation.study import simulate_study

RECIPE = PhantomRecipe(
    name="evaluate",
    patients=1,
    first=Level.T9,
    slices=5,
    patient_shift=0.0,
    supernumerary=0.0,
    coverage=CoverageShares(lumbar=1.0, thoracolumbar=0.0),
    extra_share=0.0,
)
NAMED = (Level.L1, Level.L2, Level.L3, Level.L4, Level.L5, Level.S1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pictures")
    study = simulate_study(800_002, RECIPE)
    middle = RECIPE.slices // 2
    vertebrae = []
    for level in NAMED:
        rows, columns = np.nonzero(study.body_labels[1][middle] == 1 + level.order)
        box = [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1]
        vertebrae.append({"level": level.value, "box": box})
    entries = []
    for number in ("1", "2"):
        files = {}
        for sequence, volume in zip(("T1", "T2"), study.volumes, strict=True):
            name = f"{number}_{sequence}.png"
            grey = (scaled(volume.pixels[middle][None])[0] * 255).astype(np.uint8)
            Image.fromarray(grey).save(made / name)
            files[sequence] = {"file": name}
        entries.append(
            {
                "patient": number,
                **files,
                "vertebrae": vertebrae,
                "t1_t2_shift_px": [0, 0],
                "finding_from_note": ["fracture", "L2", "old"] if number == "1" else None,
            }
        )
    (made / "2_T1.png").write_bytes(b"not a picture")
    (made / "manifest.json").write_text(json.dumps(entries))
    return made


@pytest.fixture(scope="module")
def figures(folder: Path) -> dict[str, object]:
    target = folder / "out" / "figures"  # a name without an ending does as well
    done = CliRunner().invoke(cli, ["evaluate-real", "--data", str(folder), "--json", str(target)])
    assert done.exit_code == 0, done.output
    assert "Not for clinical use." in done.output
    told: dict[str, object] = json.loads(target.read_text())
    return told


def test_the_figures_that_were_asked_for_are_there(figures: dict[str, object]) -> None:
    assert figures["headline"] == "unseen"
    assert set(figures["detection"]) == {"map50_95", "map50", "precision", "recall", "f1"}  # type: ignore[call-overload]
    assert 0.5 <= figures["naming"]["all_levels_correct"] <= 1  # type: ignore[index]
    assert figures["seconds_per_picture"] > 0  # type: ignore[operator]
    rows = figures["findings"]["levels"]  # type: ignore[index]
    assert [row["level"] for row in rows if row["kind"] == "fracture"] == ["L2"]
    assert {row["patient"] for row in rows} == {"1"}


def test_a_picture_that_cannot_be_read_is_listed_and_the_rest_measured(figures: dict[str, object]) -> None:
    (refused,) = figures["refused"]  # type: ignore[misc]
    assert refused["patient"] == "2" and refused["picture"] == "T1" and "PNG" in refused["reason"]
    assert figures["unseen"]["pictures"] == 4  # type: ignore[index]


def test_the_worst_pictures_are_drawn(figures: dict[str, object], folder: Path) -> None:
    names = figures["worst"]
    assert len(names) == 3  # type: ignore[arg-type]
    for name in names:  # type: ignore[attr-defined]
        with Image.open(folder / "out" / "figures-worst" / name) as picture:
            colours = {colour for _, colour in picture.getcolors(1 << 24) or ()}
        assert (0x35, 0xD0, 0x7F) in colours  # the reference's green


def test_a_folder_without_a_manifest_is_a_clear_error(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["evaluate-real", "--data", str(tmp_path)])
    assert isinstance(done.exception, InputError) and "manifest.json" in str(done.exception)
