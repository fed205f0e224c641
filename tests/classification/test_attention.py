"""Heat maps: where the answer is known, on a phantom's lesion, and at the edges of what can be asked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis, Level
from spine_fracture.bundle import SHIPPED_WEIGHTS, Manifest, write_bundle
from spine_fracture.classification.attention import AttentiveClassifier, class_activation
from spine_fracture.classification.classifier import LevelClassifier
from spine_fracture.classification.crops import level_crops
from spine_fracture.classification.sixchannel import SixChannelConfig, SixChannelNetwork
from spine_fracture.dicom.pairing import scaled
from spine_fracture.errors import InputError
from spine_fracture.geometry import PixelBox
from spine_fracture.simulation.recipe import PhantomRecipe
from spine_fracture.simulation.study import PhantomStudy, simulate_study
from spine_fracture.training.classifiers.samples import boxes_by_level

NARROW = SixChannelConfig(trunk="resnet10", width=8, pooled_stem=False)
LEVELS = [[(s, PixelBox(20, 10 + 30 * n, 50, 32 + 30 * n)) for s in range(2, 9)] for n in range(3)]
RECIPE = PhantomRecipe(
    name="heat", patients=1, slices=5, first=Level.L1, last=Level.S1, even_levels=0.5, patient_shift=0
)


class _BrightAgainstDark(nn.Module):
    """Answers 0 for what is bright in channel 4 and 1 for what is bright in channel 1; nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.stage = nn.Conv2d(6, 2, 4, stride=4, bias=False)
        self.stage.weight.data.zero_()
        self.stage.weight.data[0, 4] = 1 / 16
        self.stage.weight.data[1, 1] = 1 / 16

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.stage(crops)).mean(dim=(2, 3))


@settings(deadline=None)
@given(st.integers(0, 14), st.integers(0, 14), st.sampled_from([(0, 4), (1, 1)]))
def test_heat_is_where_the_evidence_is(row: int, column: int, asked: tuple[int, int]) -> None:
    answer, channel = asked
    crops = torch.zeros(1, 6, 64, 64)
    crops[0, channel, 4 * row : 4 * row + 8, 4 * column : 4 * column + 8] = 1
    network = _BrightAgainstDark()
    (heat,) = class_activation(network, network.stage, crops, answer)
    assert heat.shape == (16, 16)
    assert {tuple(at) for at in heat.nonzero().tolist()} == {
        (row + down, column + across) for down in (0, 1) for across in (0, 1)
    }
    (none,) = class_activation(network, network.stage, crops, 1 - answer)
    assert not none.any()


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> AttentiveClassifier:
    return AttentiveClassifier.load(_bundle(tmp_path_factory.mktemp("narrow")))


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).random((11, 2, 110, 80), dtype=np.float32)


@pytest.fixture(scope="module")
def shipped() -> AttentiveClassifier:
    return AttentiveClassifier.load(SHIPPED_WEIGHTS / "classifier")


@pytest.mark.parametrize("seed", [900_004, 900_006])
def test_heat_is_on_the_altered_part_of_a_phantoms_vertebrae(shipped: AttentiveClassifier, seed: int) -> None:
    """More of it than of the crop lies there: on 23 levels of eight phantoms it was twice as much."""
    study = simulate_study(seed, RECIPE)
    pixels = np.stack([scaled(volume.pixels) for volume in study.volumes[:2]], axis=1)
    boxes = boxes_by_level(study.body_labels[1])
    shares = []
    for which, level in enumerate(boxes):
        key, _ = boxes[level][len(boxes[level]) // 2]
        altered = _altered(study, level, boxes[level][len(boxes[level]) // 2], shipped.config)
        if study.truth_of(level).diagnosis is Diagnosis.NORMAL or not altered.any():
            continue
        heat = shipped.heat(pixels, list(boxes.values()), which, key)
        if heat.diagnosis is not Diagnosis.NORMAL:
            shares.append(float(heat.values[altered].sum() / heat.values.sum() / altered.mean()))
    assert shares
    assert np.mean(shares) > 1.3


def _altered(
    study: PhantomStudy, level: Level, at: tuple[int, PixelBox], config: SixChannelConfig
) -> np.ndarray:
    """Which sixteenths of the crop's side hold altered marrow."""
    mask = (study.altered_labels[1] == 1 + level.order).astype(np.float32)
    crop = level_crops(np.stack([mask, mask], axis=1), [at], config.size, config.margin)[0, 1]
    return crop.reshape(16, 4, 16, 4).mean(axis=(1, 3)) > 0.5


@pytest.mark.parametrize("missing", [None, 0, 1])
@pytest.mark.parametrize("diagnosis", [None, *MODEL_CLASSES])
def test_heat_covers_the_crop_and_says_for_what(
    narrow: AttentiveClassifier, pixels: np.ndarray, missing: int | None, diagnosis: Diagnosis | None
) -> None:
    given_pixels = pixels.copy()
    if missing is not None:
        given_pixels[:, missing] = 0
    heat = narrow.heat(given_pixels, LEVELS, 1, 4, diagnosis)
    assert heat.values.shape == (16, 16)
    assert np.isfinite(heat.values).all()
    assert 0 <= heat.values.min() <= heat.values.max() <= 1
    assert heat.region == LEVELS[1][2][1].square(NARROW.margin)
    assert heat.slice_index == 4
    assert heat.diagnosis in MODEL_CLASSES if diagnosis is None else heat.diagnosis is diagnosis
    assert 0 <= heat.probability <= 1


def test_the_class_and_its_probability_are_those_of_the_served_classifier(
    narrow: AttentiveClassifier, pixels: np.ndarray, tmp_path: Path
) -> None:
    served = LevelClassifier.load(_bundle(tmp_path), "torch").classify(pixels, LEVELS)
    for which, opinion in enumerate(served):
        for index in (2, 5, 8):  # also on slices that the classifier does not read
            heat = narrow.heat(pixels, LEVELS, which, index)
            assert heat.probability == pytest.approx(max(opinion.probabilities), abs=1e-5)
            assert heat.diagnosis is MODEL_CLASSES[int(np.argmax(opinion.probabilities))]


@settings(deadline=None, max_examples=20)
@given(st.floats(-200, 200, allow_nan=False), st.floats(-200, 200, allow_nan=False), st.floats(0.5, 150))
def test_a_box_anywhere_gives_finite_heat(
    narrow: AttentiveClassifier, pixels: np.ndarray, x: float, y: float, side: float
) -> None:
    heat = narrow.heat(pixels, [[(3, PixelBox(x, y, x + side, y + side))], LEVELS[0]], 0, 3)
    assert np.isfinite(heat.values).all()
    assert heat.values.max() <= 1


def test_what_cannot_be_asked_says_why(narrow: AttentiveClassifier, pixels: np.ndarray) -> None:
    with pytest.raises(InputError, match="no box on slice 9"):
        narrow.heat(pixels, LEVELS, 0, 9)
    with pytest.raises(InputError, match="does not answer indeterminate"):
        narrow.heat(pixels, LEVELS, 0, 4, Diagnosis.INDETERMINATE)
    with pytest.raises(InputError, match="draw its box"):
        narrow.heat(pixels, [*LEVELS, []], 0, 4)


def test_readers_who_ask_at_once_get_what_they_asked_for(
    narrow: AttentiveClassifier, pixels: np.ndarray
) -> None:
    asked = [(which, index) for which in range(3) for index in (3, 5, 7)]
    one_by_one = [narrow.heat(pixels, LEVELS, *ask).values for ask in asked]
    with ThreadPoolExecutor(4) as pool:
        at_once = list(pool.map(lambda ask: narrow.heat(pixels, LEVELS, *ask).values, asked))
    for alone, together in zip(one_by_one, at_once, strict=True):
        np.testing.assert_allclose(alone, together, atol=1e-5)


def test_features_are_directions_and_stay_with_their_level(
    narrow: AttentiveClassifier, pixels: np.ndarray
) -> None:
    features = narrow.features(pixels, LEVELS)
    assert features.shape == (3, 64)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)
    assert (features >= 0).all()
    turned = narrow.features(pixels, LEVELS[::-1])
    np.testing.assert_allclose(turned[::-1], features, atol=1e-5)
    assert narrow.features(pixels, [boxes[:1] for boxes in LEVELS]).shape == (3, 64)


def _bundle(folder: Path) -> Path:
    torch.manual_seed(3)
    network = SixChannelNetwork(NARROW)
    network(torch.randn(32, 6, 64, 64))  # sets the running statistics of its norms
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
    write_bundle(folder, network.state_dict(), manifest)
    return folder
