"""A whole training in small: pictures, bundle, scores, card; and that it goes on in its folder."""

import pytest
import yaml

from spine_fracture.bundle import read_manifest
from spine_fracture.errors import InputError
from spine_fracture.training.detector_config import DetectorConfig, Sources
from spine_fracture.training.detector_training import train_and_report
from spine_fracture.training.schedule import Schedule


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
    epochs = []
    arguments = (config, None, tmp_path / "out", tmp_path / "work", "the command")
    manifest = train_and_report(*arguments, lambda *done: None, lambda epoch: epochs.append(epoch.number))
    assert epochs == [1]
    assert read_manifest(tmp_path / "out") == manifest
    assert manifest.architecture == {"layout": "yolo11n", "size": 64, "sequences": "T1+T2"}
    assert "phantoms.levels_right" in manifest.metrics
    text = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    for said in ("Not for clinical use", "the command", "Trained to test the training.", manifest.sha256):
        assert said in text
    assert "No real pictures were given" in text
    # Run again, it neither makes the pictures nor trains anew.
    again = train_and_report(*arguments, lambda *done: None, lambda epoch: epochs.append(epoch.number))
    assert epochs == [1]
    assert again.sha256 == manifest.sha256


def test_lesions_are_not_in_the_lumbar_set(config, tmp_path):
    lesions = config.model_copy(update={"task": "lesions"})
    with pytest.raises(InputError, match="cohort"):
        train_and_report(lesions, None, tmp_path, tmp_path, "", lambda *done: None, lambda epoch: None)
