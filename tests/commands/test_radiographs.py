"""``read-radiograph`` answers for one patient, and says what it needs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from spine_fracture.bundle import Manifest, write_bundle
from spine_fracture.classification.radiograph import CLASSES, NAME, RadiographConfig, RadiographNetwork
from spine_fracture.classification.radiograph_pictures import InputForm, PictureConfig
from spine_fracture.cli import cli
from spine_fracture.errors import InputError
from spine_fracture.radiography import TASK


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = RadiographConfig(members=(InputForm.MERGE,), pictures=PictureConfig(rows=64, columns=64))
    manifest = Manifest(
        name="untrained", task=TASK, family=NAME, architecture=config.model_dump(mode="json"),
        classes=CLASSES, config={}, seed=0,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("model")
    write_bundle(folder, RadiographNetwork(config).state_dict(), manifest)
    return folder


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    grey = np.random.default_rng(0).integers(0, 255, (200, 120), dtype=np.uint8)
    Image.fromarray(grey).save(tmp_path / "view.png")
    return tmp_path / "view.png"


def test_one_view_or_both_are_read(model: Path, picture: Path) -> None:
    for views in (["--ap", str(picture)], ["--ap", str(picture), "--lateral", str(picture)]):
        result = CliRunner().invoke(cli, ["read-radiograph", *views, "--model", str(model)])
        assert result.exit_code == 0, result.output
        assert "malignant" in result.output and "Not for clinical use" in result.output
        assert ("lateral" in result.output) == (len(views) == 4)


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        ([], "nothing to read"),
        (["FILE"], "--ap or --lateral"),
        (["FILE", "--ap", "FILE"], "--ap or --lateral"),
    ],
)
def test_what_is_missing_is_said(arguments: list[str], remedy: str, model: Path, picture: Path) -> None:
    given = [str(picture) if a == "FILE" else a for a in arguments]
    result = CliRunner().invoke(cli, ["read-radiograph", *given, "--model", str(model)])
    assert isinstance(result.exception, InputError)
    assert remedy in str(result.exception)
