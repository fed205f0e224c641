"""The whole-study network and its served form: packing, order, sequences that are missing, wrong bundles."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from spine_fracture.anatomy import MODEL_CLASSES
from spine_fracture.bundle import Manifest, write_bundle
from spine_fracture.classification.packing import Packing
from spine_fracture.classification.whole_study import WholeStudyConfig, WholeStudyNetwork
from spine_fracture.classification.whole_study_classifier import FAMILY, WholeStudyClassifier
from spine_fracture.classification.whole_study_crops import head_to_foot, spread
from spine_fracture.errors import InputError, ModelFileError
from spine_fracture.geometry import PixelBox

NARROW = WholeStudyConfig(trunk="resnet10", width=4, features=32, heads=2, size=24, slices=3)
LEVELS = [[(s, PixelBox(20, 10 + 30 * n, 50, 32 + 30 * n)) for s in range(2, 9)] for n in range(3)]
SLICES, STUDIES = (3, 1, 2, 2, 3), (2, 3)


@pytest.fixture(scope="module")
def network() -> WholeStudyNetwork:
    """Drawn at random, but so that other levels and their distance count."""
    torch.manual_seed(3)
    network = WholeStudyNetwork(NARROW)
    torch.nn.init.normal_(network.others.weight)
    for attention in (network.slices, network.levels):
        torch.nn.init.normal_(attention.distance.weight)
    network(torch.randn(32, 4, 24, 24), torch.ones(32, 4), Packing.of((1,) * 32), Packing.of((32,)))
    return network.eval()


@pytest.fixture(scope="module")
def bundle(network: WholeStudyNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole_study")
    write(folder, network.state_dict())
    return folder


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).random((11, 4, 110, 80), dtype=np.float32)


def write(folder: Path, state: dict[str, torch.Tensor], **changes: object) -> None:
    manifest = Manifest(
        name="narrow", task="classification", family=FAMILY, architecture=NARROW.model_dump(),
        classes=tuple(MODEL_CLASSES), temperature=1.7, config={}, seed=3,
    )  # fmt: skip
    write_bundle(folder, state, manifest.model_copy(update=changes))


def given(studies: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor, Packing, Packing]:
    """The crops of these of STUDIES, in this order."""
    crops = torch.randn(sum(SLICES), 4, 24, 24, generator=torch.Generator().manual_seed(1))
    present = torch.ones(sum(SLICES), 4)
    of_level = torch.arange(len(SLICES)).repeat_interleave(torch.tensor(SLICES))
    of_study = torch.arange(len(STUDIES)).repeat_interleave(torch.tensor(STUDIES))
    rows = torch.cat([(of_study[of_level] == at).nonzero().flatten() for at in studies])
    counts = [SLICES[at] for study in studies for at in (of_study == study).nonzero().flatten().tolist()]
    return crops[rows], present[rows], Packing.of(counts), Packing.of([STUDIES[at] for at in studies])


def test_packing_there_and_back() -> None:
    packing = Packing.of((2, 1, 4))
    rows = torch.randn(7, 3)
    padded, there = packing.padded(rows)
    assert padded.shape == (3, 4, 3)
    assert there.sum(dim=1).tolist() == [2, 1, 4]
    assert (padded[~there] == 0).all()
    assert torch.equal(packing.packed(padded), rows)


def test_the_other_studies_of_a_batch_and_their_order_change_nothing(network: WholeStudyNetwork) -> None:
    with torch.inference_mode():
        both, turned, first, second = (network(*given(studies)) for studies in ((0, 1), (1, 0), (0,), (1,)))
    apart = torch.cat([first.levels, second.levels])
    torch.testing.assert_close(both.levels, apart, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(turned.levels, torch.cat([second.levels, first.levels]), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(turned.studies, both.studies.flip(0), atol=1e-5, rtol=1e-4)


def test_the_other_levels_of_a_study_and_their_order_count(network: WholeStudyNetwork) -> None:
    crops, present, slices, levels = given((1,))
    with torch.inference_mode():
        whole = network(crops, present, slices, levels)
        lonely = network(crops, present, slices, Packing.of((1, 1, 1)))
        tokens = network.tokens(crops, present)
        order = [2, 3, 0, 1, 4, 5, 6]  # the first two levels change places
        swapped = network.answers(tokens[order], slices, levels)
    torch.testing.assert_close(whole.alone, lonely.alone)
    assert (whole.levels - lonely.levels).abs().min(dim=0).values.max() > 1e-3
    assert (whole.levels[2] - swapped.levels[2]).abs().max() > 1e-3


def test_training_and_inference_are_the_same_network(network: WholeStudyNetwork) -> None:
    with torch.inference_mode():
        inferred = network(*given((0, 1))).levels
    torch.testing.assert_close(network(*given((0, 1))).levels, inferred, atol=1e-5, rtol=1e-4)


def test_slices_are_spread_over_the_level() -> None:
    assert spread(3, 5).tolist() == [0, 1, 2]
    assert spread(9, 3).tolist() == [1, 4, 7]
    assert spread(9, 3, np.array([0.0, 0.5, 0.99])).tolist() == [0, 4, 8]
    assert spread(7, 1).tolist() == [3]


def test_levels_are_ordered_by_place() -> None:
    assert head_to_foot([LEVELS[2], LEVELS[0], LEVELS[1]]) == (1, 2, 0)


def test_opinions_come_in_the_order_asked_for(bundle: Path, pixels: np.ndarray) -> None:
    model = WholeStudyClassifier.load(bundle)
    first = model.classify(pixels, LEVELS)
    turned = model.classify(pixels, [LEVELS[at][::-1] for at in (2, 0, 1)])
    for opinion, again in zip((first[2], first[0], first[1]), turned, strict=True):
        for name in ("probabilities", "t1_only", "t2_only"):
            np.testing.assert_allclose(getattr(opinion, name), getattr(again, name), atol=1e-5)
        assert sum(opinion.probabilities) == pytest.approx(1)
        assert opinion.augmentation_spread == pytest.approx(again.augmentation_spread, abs=1e-4)
        assert 0 < opinion.augmentation_spread <= 1
    together, alone = model.together_and_alone(pixels, LEVELS)
    np.testing.assert_allclose(together, [o.probabilities for o in first], atol=1e-6)
    assert np.abs(together - alone).max() > 1e-3
    assert model.classify(pixels, []) == ()


@pytest.mark.parametrize(
    ("kept", "alone"), [((0, 1), (True, True)), ((1,), (False, True)), ((0, 3), (True, False))]
)
def test_sequences_may_be_missing(
    bundle: Path, pixels: np.ndarray, kept: tuple[int, ...], alone: tuple[bool, bool]
) -> None:
    left = np.zeros_like(pixels)
    left[:, kept] = pixels[:, kept]
    model = WholeStudyClassifier.load(bundle)
    opinions = model.classify(left, LEVELS)
    for opinion in opinions:
        assert np.isfinite(opinion.probabilities).all()
        assert (opinion.t1_only is not None, opinion.t2_only is not None) == alone
    if max(kept) < 2:  # no more channels than that need be given
        np.testing.assert_allclose(
            opinions[0].probabilities, model.classify(left[:, :2], LEVELS)[0].probabilities, atol=1e-6
        )
    assert opinions[0].probabilities != model.classify(pixels, LEVELS)[0].probabilities


def test_one_slice_of_one_level_is_enough(bundle: Path, pixels: np.ndarray) -> None:
    (opinion,) = WholeStudyClassifier.load(bundle).classify(pixels[:1], [[(0, PixelBox(20, 20, 50, 45))]])
    assert sum(opinion.probabilities) == pytest.approx(1)


def test_several_threads_may_ask(bundle: Path, pixels: np.ndarray) -> None:
    model = WholeStudyClassifier.load(bundle)
    alone = model.classify(pixels, LEVELS)
    with ThreadPoolExecutor(3) as pool:
        for opinions in pool.map(lambda _: model.classify(pixels, LEVELS), range(6)):
            for one, other in zip(opinions, alone, strict=True):
                np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-5)


def test_what_cannot_be_read_is_refused(bundle: Path, pixels: np.ndarray) -> None:
    model = WholeStudyClassifier.load(bundle)
    with pytest.raises(InputError, match="box"):
        model.classify(pixels, [LEVELS[0], []])
    with pytest.raises(InputError, match="2 to 4"):
        model.classify(pixels[:, :1], LEVELS)


def test_another_kind_of_model_is_refused(network: WholeStudyNetwork, tmp_path: Path) -> None:
    state = network.state_dict()
    write(tmp_path, state, family="six_channel")
    with pytest.raises(ModelFileError, match="not a whole_study"):
        WholeStudyClassifier.load(tmp_path)
    for architecture in (NARROW.model_copy(update={"features": 64}).model_dump(), {"trunk": "vgg"}):
        write(tmp_path, state, architecture=architecture)
        with pytest.raises(ModelFileError, match="do not fit"):
            WholeStudyClassifier.load(tmp_path)
