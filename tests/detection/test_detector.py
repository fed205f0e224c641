"""The shipped detector: both runtimes agree, any size is read, one sequence is enough, damage is noticed."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import spine_fracture
from spine_fracture.anatomy import Level
from spine_fracture.bundle import read_manifest
from spine_fracture.cohort.splits import Split, split_of
from spine_fracture.detection.detector import VertebraDetector
from spine_fracture.detection.fusion import fuse_slices
from spine_fracture.detection.naming import name_tracks
from spine_fracture.errors import InputError, ModelFileError
from spine_fracture.lumbar_set import read_lumbar_set
from spine_fracture.training.detectors.pictures import aligned_pair

SHIPPED = Path(spine_fracture.__file__).parent / "weights" / "detector"


@pytest.fixture(scope="module")
def detector():
    return VertebraDetector.load(SHIPPED)


def noise(slices=2, rows=96, columns=64):
    return np.random.default_rng(0).random((slices, 2, rows, columns), np.float32)


def test_serving_runtime_agrees_with_torch(detector):
    pictures = noise(rows=96, columns=128)
    with torch.inference_mode():
        expected = detector.finder.network(torch.from_numpy(pictures)).numpy()
    np.testing.assert_allclose(detector.finder._forward.outputs(pictures), expected, atol=1e-3)


def test_shipped_weights_are_small_and_carded():
    assert (SHIPPED / "weights.safetensors").stat().st_size < 8e6
    card = (SHIPPED / "MODEL_CARD.md").read_text()
    assert "Not for clinical use" in card
    assert "| test | T1+T2 |" in card
    assert read_manifest(SHIPPED).version in card


def test_boxes_lie_in_the_picture_and_on_its_slices(detector):
    for candidate in detector.detect(noise(3, 150, 91)):
        assert 0 <= candidate.slice_index < 3
        assert candidate.box.inside(150, 91) == candidate.box
        assert 0 <= candidate.score <= 1


def test_a_batch_answers_like_its_slices_one_by_one(detector):
    pictures = noise(3)
    together = detector.finder._forward.outputs(pictures)
    for index in range(3):
        np.testing.assert_allclose(
            together[index], detector.finder._forward.outputs(pictures[index : index + 1])[0], atol=1e-4
        )


def test_pictures_of_another_shape_are_refused(detector):
    with pytest.raises(InputError, match="slices, 2, rows, columns"):
        detector.detect(np.zeros((1, 3, 64, 64), np.float32))


def test_a_changed_byte_is_noticed(tmp_path):
    folder = tmp_path / "detector"
    shutil.copytree(SHIPPED, folder)
    weights = folder / "weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-100] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ModelFileError, match="sha256"):
        VertebraDetector.load(folder)


def test_a_model_of_another_task_is_refused(tmp_path):
    folder = tmp_path / "detector"
    shutil.copytree(SHIPPED, folder)
    other = read_manifest(SHIPPED).model_copy(update={"family": "sixchannel"})
    (folder / "model.json").write_text(other.sealed().model_dump_json())
    with pytest.raises(ModelFileError, match="not a detector"):
        VertebraDetector.load(folder)


@pytest.mark.parametrize("missing", [None, 0, 1])
def test_lumbar_levels_of_a_validation_patient_are_found_and_named(detector, real_data, missing):
    patients = read_lumbar_set(real_data / "lumbar_t1t2")
    patient = next(p for p in patients if split_of(p.key) is Split.VALIDATION)
    pixels = aligned_pair(patient).astype(np.float32)[None] / 255
    if missing is not None:
        pixels[:, missing] = 0
    named = {n.level: n.track for n in name_tracks(fuse_slices(detector.detect(pixels))).levels}
    for vertebra in patient.vertebrae:
        box = named[vertebra.level].candidates[0].box
        assert box.iou(vertebra.box.shifted(*patient.t1_to_t2)) > 0.7
    assert Level.T12 in named  # in view, and in no outline of the training
