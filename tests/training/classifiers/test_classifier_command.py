"""``spine-fracture train classifier`` from pictures to a bundle that serves."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from spine_fracture.anatomy import MODEL_CLASSES
from spine_fracture.classification.classifier import LevelClassifier
from spine_fracture.cli import cli
from spine_fracture.cohort.splits import Split, split_of
from spine_fracture.errors import InputError
from spine_fracture.lumbar_set import read_lumbar_set
from spine_fracture.training.classifiers import card, training
from spine_fracture.training.classifiers.cache import CropCache
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


def trained(folder: Path, data: Path, out: str = "out", recipe: str = RECIPE) -> Result:
    """What the command said; crops are kept beside all that is trained in ``folder``."""
    (folder / "narrow.yaml").write_text(recipe)
    arguments = ["--config", folder / "narrow.yaml", "--data", data, "--cache", folder / "cache"]
    return CliRunner().invoke(cli, ["train", "classifier", *map(str, arguments), "--out", str(folder / out)])


def interrupted(*asked: object, **named: object) -> None:
    raise KeyboardInterrupt


def test_an_interruption_while_it_is_scored_costs_no_training(
    lumbar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as scoring:
        scoring.setattr(card, "findings_on_reference_boxes", interrupted)
        assert trained(tmp_path, lumbar).exit_code != 0
    out = tmp_path / "out"
    model = (out / "weights.safetensors").read_bytes()
    assert not (out / "MODEL_CARD.md").exists()
    other = fewer(lumbar, tmp_path / "fewer", 1)
    for refused in (
        trained(tmp_path, lumbar, recipe=RECIPE.replace("epochs: 2", "epochs: 3")),
        trained(tmp_path, other),
    ):
        assert isinstance(refused.exception, InputError)
        assert "give another --out" in str(refused.exception)
    monkeypatch.setattr(training, "train_classifier", interrupted)
    assert trained(tmp_path, lumbar).exit_code == 0
    assert "| test | simulated_in_real |" in (out / "MODEL_CARD.md").read_text()
    assert (out / "weights.safetensors").read_bytes() == model
    assert isinstance(trained(tmp_path, lumbar).exception, InputError)


def test_crops_of_other_pictures_or_settings_are_not_taken_up(
    lumbar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt: list[CropCache] = []

    def heard(cache: CropCache, *asked: object, **named: object) -> None:
        learnt.append(cache)
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train_classifier", heard)
    few, fewest = (fewer(lumbar, tmp_path / str(number), number, Split.TEST) for number in (9, 10))
    trained(tmp_path, few)
    trained(tmp_path, few, recipe=RECIPE.replace("variants: 2", "variants: 1", 1))
    trained(tmp_path, few, recipe=f"{RECIPE}seed: 5\n")
    trained(tmp_path, fewest)
    usual, once, other, without = learnt
    assert len(once) < len(usual) and once.patients == usual.patients
    assert (other.crops != usual.crops).any()
    assert set(without.patients) < set(usual.patients)
    assert len(list((tmp_path / "cache").glob("learning-*"))) == 4


def test_without_test_patients_the_card_has_no_test_figures(lumbar: Path, tmp_path: Path) -> None:
    some = fewer(lumbar, tmp_path / "some", 0, Split.TEST)
    result = trained(tmp_path, some)
    assert result.exit_code == 0
    assert "samples.test_phantoms" in result.output
    text = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert "| validation | simulated_in_real |" in text
    assert "| test |" not in text


def fewer(data: Path, folder: Path, without: int, split: Split | None = None) -> Path:
    """A copy of ``data`` without so many of its training patients, and without those of ``split``."""
    shutil.copytree(data, folder)
    teaching = [p.patient for p in read_lumbar_set(data) if split_of(p.key) is Split.TRAIN and not p.findings]
    left_out = {*teaching[:without], *(p.patient for p in read_lumbar_set(data) if split_of(p.key) is split)}
    entries = json.loads((data / "manifest.json").read_text())
    kept = [entry for entry in entries if entry["patient"] not in left_out]
    (folder / "manifest.json").write_text(json.dumps(kept))
    return folder
