"""A whole training in small: pictures, bundle, scores, card; and that it goes on in its folder."""

import shutil
from dataclasses import replace

import pytest
import yaml
from PIL import Image

from spine_fracture.bundle import read_bundle, read_manifest
from spine_fracture.commands.new_model import require_no_model
from spine_fracture.detection.detector import VertebraDetector
from spine_fracture.errors import InputError
from spine_fracture.lumbar_set import read_grey
from spine_fracture.training.detectors import training as detector_training
from spine_fracture.training.detectors.config import DetectorConfig, Sources
from spine_fracture.training.detectors.sources import training_patients
from spine_fracture.training.detectors.training import train_and_report
from spine_fracture.training.learning.schedule import Schedule


@pytest.fixture
def config(tmp_path):
    recipe = tmp_path / "recipe.yaml"
    facts = {"name": "test", "patients": 1, "first": "L1", "slices": 3, "even_levels": 0.5}
    recipe.write_text(yaml.safe_dump(facts | {"coverage": {"lumbar": 1, "thoracolumbar": 0}}))
    return DetectorConfig(
        name="small",
        size=64,
        reading_size=64,
        schedule=Schedule(epochs=1, steps=2, batch=4),
        sources=Sources(recipe=str(recipe), phantoms=1, slices=2, held_out=1, workers=1),
        notes="Trained to test the training.",
    )


def test_phantoms_alone_make_a_bundle_with_its_card(config, tmp_path):
    epochs, made = [], []
    arguments = (config, None, tmp_path / "out", tmp_path / "work", "the command")
    manifest = train_and_report(*arguments, lambda *done: made.append(done), epochs.append)
    assert [epoch.number for epoch in epochs] == [1] and made == [("phantoms", 1, 1)]
    assert read_manifest(tmp_path / "out") == manifest
    assert manifest.architecture == {"layout": "yolo11n", "size": 64, "sequences": "T1+T2"}
    assert "phantoms.levels_right" in manifest.metrics
    text = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    for said in ("Not for clinical use", "the command", "Trained to test the training.", manifest.sha256):
        assert said in text
    assert "No real pictures were given" in text
    # Run again, it neither makes the pictures nor trains anew.
    again = train_and_report(*arguments, lambda *done: made.append(done), epochs.append)
    first, second = epochs
    assert second == replace(first, note="(from the checkpoint)") and len(made) == 1
    assert again.sha256 == manifest.sha256


def test_an_interruption_while_it_is_scored_costs_no_training(config, lumbar, tmp_path, monkeypatch):
    out, epochs, made = tmp_path / "out", [], []
    real = config.model_copy(update={"sources": Sources(recipe=config.sources.recipe)})

    def train():
        arguments = (real, lumbar, out, out / "work", "the command")
        return train_and_report(*arguments, lambda *done: made.append(done), epochs.append)

    def interrupted(*asked):
        raise KeyboardInterrupt

    with monkeypatch.context() as scoring:
        scoring.setattr(VertebraDetector, "load", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train()
    require_no_model(out)  # so that the same command goes on
    pairs = len(made)
    manifest = train()
    assert [epoch.note for epoch in epochs] == ["", "(from the checkpoint)"] and len(made) == pairs
    assert read_bundle(out)[0] == manifest
    assert "test.T1+T2.map50" in manifest.metrics
    assert manifest.version in (out / "MODEL_CARD.md").read_text()
    assert not (out / "work" / "scored").exists()


def test_lesions_are_not_in_the_lumbar_set(config, tmp_path):
    lesions = config.model_copy(update={"task": "lesions"})
    with pytest.raises(InputError, match="cohort"):
        train_and_report(lesions, None, tmp_path, tmp_path, "", lambda *done: None, lambda epoch: None)


def test_a_run_goes_on_only_with_the_same_pictures_and_settings(config, lumbar, tmp_path, monkeypatch):
    class CutShortError(Exception):
        pass

    def cut_short(epoch):
        raise CutShortError

    def trained_on(data, **changes):
        made = []
        schedule = Schedule(epochs=2, steps=2, batch=2, checkpoint_minutes=0)
        asked = {"schedule": schedule, "sources": Sources(recipe=config.sources.recipe), **changes}
        arguments = (config.model_copy(update=asked), data, tmp_path / "out", tmp_path / "work", "")
        return made, lambda: train_and_report(*arguments, lambda *done: made.append(done), cut_short)

    made, train = trained_on(lumbar)
    with pytest.raises(CutShortError):
        train()
    assert made
    made, train = trained_on(lumbar, notes="What is printed on the card changes no weight.")
    with pytest.raises(CutShortError):
        train()
    assert not made  # the pictures are there, and the training goes on

    other = tmp_path / lumbar.name
    shutil.copytree(lumbar, other)
    for patient in training_patients(other)[:1]:
        Image.fromarray(255 - read_grey(patient.t1)).save(patient.t1)
    for data, changes in ((other, {}), (lumbar, {"size": 96})):
        made, train = trained_on(data, **changes)
        with pytest.raises(InputError, match="another cohort or configuration"):
            train()
        assert made
    monkeypatch.setattr(detector_training, "FORM", -1)  # pictures that the code before stored otherwise
    made, train = trained_on(lumbar)
    with pytest.raises(InputError, match="another cohort or configuration"):
        train()
    assert made
