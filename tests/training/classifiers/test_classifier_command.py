"""``spine-fracture train classifier`` from pictures to a bundle that serves."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from spine_fracture.anatomy import MODEL_CLASSES
from spine_fracture.classification.classifier import LevelClassifier
from spine_fracture.cli import cli
from spine_fracture.lumbar_set import read_lumbar_set
from spine_fracture.training.classifiers.samples import real_pair

RECIPE = """
name: narrow
network: {trunk: resnet10, width: 8}
samples: {variants: 2, judging_variants: 2, training_phantoms: 0, validation_phantoms: 0, test_phantoms: 0}
schedule: {epochs: 2, steps: 4, batch: 8}
"""


def test_one_command_trains_a_classifier(lumbar: Path, tmp_path: Path) -> None:
    (tmp_path / "narrow.yaml").write_text(RECIPE)
    out = tmp_path / "out"
    arguments = ["train", "classifier", "--config", str(tmp_path / "narrow.yaml")]
    arguments += ["--data", str(lumbar), "--cache", str(tmp_path / "cache"), "--out", str(out)]
    result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert "epoch 2" in result.output
    assert "Not for clinical use" in result.output
    pair = real_pair(read_lumbar_set(lumbar)[3])
    opinions = LevelClassifier.load(out, "torch").classify(pair.pixels, [[(0, box)] for box in pair.boxes])
    assert {len(opinion.probabilities) for opinion in opinions} == {len(MODEL_CLASSES)}
    card = (out / "MODEL_CARD.md").read_text()
    assert "| test | simulated_in_real |" in card
    assert "| 0000 | L2 | fracture L2 old |" in card
    again = CliRunner().invoke(cli, [*arguments[:-1], str(tmp_path / "again")], catch_exceptions=False)
    assert again.exit_code == 0
    assert "real pictures" not in again.output
