"""A classifier bundle: read, checked, and asked about levels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis
from spine_fracture.bundle import WEIGHTS, Manifest, write_bundle
from spine_fracture.classification.classifier import LevelClassifier, join_slices
from spine_fracture.classification.sixchannel import SixChannelConfig, SixChannelNetwork
from spine_fracture.errors import InputError, ModelFileError
from spine_fracture.geometry import PixelBox

NARROW = SixChannelConfig(trunk="resnet10", width=8)
LEVELS = [[(s, PixelBox(20, 10 + 30 * n, 50, 32 + 30 * n)) for s in range(2, 9)] for n in range(3)]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("classifier")
    torch.manual_seed(3)
    network = SixChannelNetwork(NARROW)
    network(torch.randn(32, 6, 64, 64))  # sets the running statistics of its norms
    _write(folder, network.state_dict())
    return folder


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).random((11, 2, 110, 80), dtype=np.float32)


def _write(folder: Path, state: dict[str, torch.Tensor], **changes: object) -> None:
    manifest = Manifest(
        name="narrow",
        task="classification",
        family="six_channel",
        architecture=NARROW.model_dump(),
        classes=tuple(MODEL_CLASSES),
        temperature=1.7,
        config={},
        seed=3,
    )
    write_bundle(folder, state, manifest.model_copy(update=changes))


def test_opinions_are_probabilities_of_every_level(bundle: Path, pixels: np.ndarray) -> None:
    opinions = LevelClassifier.load(bundle, "torch").classify(pixels, LEVELS)
    assert len(opinions) == len(LEVELS)
    for opinion in opinions:
        for answer in (opinion.probabilities, opinion.t1_only, opinion.t2_only):
            assert answer is not None
            assert len(answer) == len(MODEL_CLASSES)
            assert sum(answer) == pytest.approx(1)
            assert min(answer) >= 0
        assert 0 < opinion.augmentation_spread <= 1


def test_openvino_agrees_with_torch(bundle: Path, pixels: np.ndarray) -> None:
    served = LevelClassifier.load(bundle).classify(pixels, LEVELS)
    reference = LevelClassifier.load(bundle, "torch").classify(pixels, LEVELS)
    for a, b in zip(served, reference, strict=True):
        np.testing.assert_allclose(a.probabilities, b.probabilities, atol=1e-4)
        np.testing.assert_allclose(a.t1_only, b.t1_only, atol=1e-4)
        assert a.augmentation_spread == pytest.approx(b.augmentation_spread, abs=1e-4)


@pytest.mark.parametrize("missing", [0, 1])
def test_a_missing_sequence_has_no_opinion_of_its_own(bundle: Path, pixels: np.ndarray, missing: int) -> None:
    left = pixels.copy()
    left[:, missing] = 0
    for opinion in LevelClassifier.load(bundle, "torch").classify(left, LEVELS):
        alone = (opinion.t1_only, opinion.t2_only)
        assert alone[missing] is None
        assert alone[1 - missing] is not None
        assert sum(opinion.probabilities) == pytest.approx(1)


def test_one_slice_is_enough(bundle: Path, pixels: np.ndarray) -> None:
    model = LevelClassifier.load(bundle, "torch")
    (opinion,) = model.classify(pixels[:1], [[(0, PixelBox(20, 20, 50, 45))]])
    assert sum(opinion.probabilities) == pytest.approx(1)


def test_few_crops_are_read_however_many_slices_a_level_has(bundle: Path, pixels: np.ndarray) -> None:
    batch, counts = LevelClassifier.load(bundle, "torch").study_batch(pixels, LEVELS)
    assert counts == (NARROW.slices,) * 3
    assert batch.shape == (3 * (NARROW.slices + 4), 6, 64, 64)


def test_temperature_softens(bundle: Path, pixels: np.ndarray, tmp_path: Path) -> None:
    model = LevelClassifier.load(bundle, "torch")
    state = SixChannelNetwork(NARROW)
    torch.manual_seed(3)
    state = SixChannelNetwork(NARROW)
    state(torch.randn(32, 6, 64, 64))
    _write(tmp_path, state.state_dict(), temperature=50.0)
    soft = LevelClassifier.load(tmp_path, "torch")
    assert max(soft.classify(pixels, LEVELS)[0].probabilities) < max(
        model.classify(pixels, LEVELS)[0].probabilities
    )


def test_nothing_asked_nothing_said(bundle: Path, pixels: np.ndarray) -> None:
    assert LevelClassifier.load(bundle, "torch").classify(pixels, []) == ()


def test_a_level_without_a_box_is_refused(bundle: Path, pixels: np.ndarray) -> None:
    with pytest.raises(InputError, match="box"):
        LevelClassifier.load(bundle, "torch").classify(pixels, [[]])


def test_one_changed_byte_is_noticed(bundle: Path, tmp_path: Path) -> None:
    for file in bundle.iterdir():
        data = bytearray(file.read_bytes())
        if file.name == WEIGHTS:
            data[len(data) // 2] ^= 1
        (tmp_path / file.name).write_bytes(data)
    with pytest.raises(ModelFileError, match="sha256"):
        LevelClassifier.load(tmp_path)


def test_another_kind_of_model_is_refused(bundle: Path, tmp_path: Path) -> None:
    state = SixChannelNetwork(NARROW).state_dict()
    _write(tmp_path, state, classes=("vertebra", "sacrum"))
    with pytest.raises(ModelFileError, match="and a six_channel answers"):
        LevelClassifier.load(tmp_path)
    _write(tmp_path, state, architecture=SixChannelConfig(trunk="resnet18", width=8).model_dump())
    with pytest.raises(ModelFileError, match="do not fit"):
        LevelClassifier.load(tmp_path)
    _write(tmp_path, state, architecture={"trunk": "vgg"})
    with pytest.raises(ModelFileError, match="do not fit"):
        LevelClassifier.load(tmp_path)


def test_joining_slices() -> None:
    slices = np.array([[0.9, 0.05, 0.03, 0.02], [0.1, 0.1, 0.7, 0.1], [0.8, 0.1, 0.05, 0.05]])
    np.testing.assert_allclose(join_slices(slices, "highest"), slices[1])
    mean = join_slices(slices, "mean")
    assert mean.sum() == pytest.approx(1)
    assert mean.argmax() == MODEL_CLASSES.index(Diagnosis.NORMAL)
    np.testing.assert_allclose(join_slices(slices[:1], "mean"), slices[0], atol=1e-6)
