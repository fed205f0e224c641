"""The fracture classifier of Yeh et al. 2022: its square, its slices, its patches and its answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis
from spine_fracture.bundle import Manifest, write_bundle
from spine_fracture.classification.crops import BoxOnSlice, level_crops
from spine_fracture.classification.model import LevelModel
from spine_fracture.classification.yeh2022 import (
    CLASSES,
    NAME,
    FractureClassifier,
    FractureConfig,
    FractureNetwork,
    centre_slices,
    standardised,
    vertebra_crops,
    vertebra_square,
)
from spine_fracture.errors import InputError, ModelFileError
from spine_fracture.geometry import PixelBox

_SMALL = FractureConfig(trunk="resnet10", size=16)
_edges = st.tuples(st.floats(0, 300), st.floats(0, 300), st.floats(1, 90), st.floats(1, 90))


def bundle(folder: Path, **changed: object) -> Path:
    torch.manual_seed(1)
    manifest = Manifest.model_validate(
        {
            "name": "yeh2022",
            "task": "classification",
            "family": NAME,
            "architecture": _SMALL.model_dump(),
            "classes": CLASSES,
            "config": {},
            "seed": 1,
        }
        | changed
    )
    write_bundle(folder, FractureNetwork(_SMALL).state_dict(), manifest)
    return folder


@given(st.lists(_edges, min_size=1, max_size=6))
@settings(max_examples=50, deadline=None)
def test_the_square_holds_the_vertebra_on_every_slice(edges: list[tuple[float, ...]]) -> None:
    boxes = [(at, PixelBox(x, y, x + w, y + h)) for at, (x, y, w, h) in enumerate(edges)]
    square = vertebra_square(boxes)
    assert square.width == pytest.approx(square.height)
    for _, box in boxes:
        assert square.x0 <= box.x0 + 1e-6 and box.x1 - 1e-6 <= square.x1
        assert square.y0 <= box.y0 + 1e-6 and box.y1 - 1e-6 <= square.y1
    # No larger than it must be: it is as wide as what the boxes span together, on the longer side.
    spans = [max(b.x1 for _, b in boxes) - min(b.x0 for _, b in boxes),
             max(b.y1 for _, b in boxes) - min(b.y0 for _, b in boxes)]  # fmt: skip
    assert square.width == pytest.approx(max(spans))


@pytest.mark.parametrize(
    ("held", "read"),
    [((2, 3, 4, 5), (3, 4)), ((4, 3, 2), (3,)), ((2, 3), (2, 3)), ((0,), (0,)), ((1, 2, 3, 7), (2,))],
)
def test_a_slice_is_read_when_both_neighbours_hold_the_lesion(
    held: tuple[int, ...], read: tuple[int, ...]
) -> None:
    assert centre_slices(held) == read


def test_the_crops_are_the_slice_and_its_neighbours_in_t1_and_t2() -> None:
    pixels = np.zeros((7, 2, 60, 60), np.float32)
    pixels += np.arange(7, dtype=np.float32)[:, None, None, None] / 10
    pixels[:, 1] += 0.05
    boxes = [(at, PixelBox(20, 20, 40, 35)) for at in (2, 3, 4, 5)]
    crops = vertebra_crops(pixels, boxes, 16)
    assert crops.shape == (2, 6, 16, 16)
    np.testing.assert_allclose(crops[:, :, 8, 8], [[0.2, 0.3, 0.4, 0.25, 0.35, 0.45],
                                                  [0.3, 0.4, 0.5, 0.35, 0.45, 0.55]], atol=1e-6)  # fmt: skip
    # The same as cut from the whole stack, at its edges too.
    at_the_edge: list[BoxOnSlice] = [(0, boxes[0][1])]
    np.testing.assert_array_equal(
        vertebra_crops(pixels, at_the_edge, 16), level_crops(pixels, at_the_edge, 16)
    )
    with pytest.raises(InputError, match="draw its box"):
        vertebra_crops(pixels, [], 16)


def test_every_patch_has_mean_nought_and_deviation_one_of_its_own() -> None:
    patches = torch.rand(3, 6, 16, 16) * torch.rand(3, 6, 1, 1) + torch.rand(3, 6, 1, 1)
    patches[0, 3:] = 0.0  # a sequence that is missing
    done = standardised(patches)
    torch.testing.assert_close(done.mean(dim=(2, 3)), torch.zeros(3, 6), atol=1e-5, rtol=0)
    deviation = done.std(dim=(2, 3), correction=0)
    torch.testing.assert_close(deviation[1:], torch.ones(2, 6), atol=1e-4, rtol=0)
    assert not done[0, 3:].any()


def test_six_channels_to_one_sigmoid() -> None:
    network = FractureNetwork(_SMALL).eval()
    assert network(torch.zeros(2, 6, 16, 16)).shape == (2, 1)
    assert network.mix.weight.shape == (3, 6, 1, 1)


def test_a_level_has_the_highest_answer_of_its_slices(tmp_path: Path) -> None:
    model = FractureClassifier.load(bundle(tmp_path), "torch")
    pixels = np.random.default_rng(0).random((6, 2, 60, 60)).astype(np.float32)
    box = PixelBox(20, 20, 40, 35)
    whole: list[BoxOnSlice] = [(at, box) for at in range(5)]
    each = [[(at + step, box) for step in (-1, 0, 1)] for at in (1, 2, 3)]
    (joined,), apart = model.malignancy(pixels, [whole]), model.malignancy(pixels, each)
    assert len(set(apart.tolist())) == 3
    assert joined == pytest.approx(apart.max())
    opinions = model.classify(pixels, [whole, each[0]])
    for opinion, chance in zip(opinions, (joined, apart[0]), strict=True):
        given = dict(zip(MODEL_CLASSES, opinion.probabilities, strict=True))
        assert given[Diagnosis.MALIGNANT] == pytest.approx(chance)
        assert given[Diagnosis.BENIGN_FRACTURE] == pytest.approx(1 - chance)
        assert given[Diagnosis.NORMAL] == given[Diagnosis.HEMANGIOMA] == 0
        assert 0 <= opinion.augmentation_spread <= 1
        assert opinion.t1_only is None and opinion.t2_only is None  # it never learnt from one of them
    pixels[:, 0] = 0
    with pytest.raises(InputError, match="no T1"):
        model.classify(pixels, [whole])


def test_the_served_runtime_answers_as_the_reference_does(tmp_path: Path) -> None:
    folder = bundle(tmp_path)
    pixels = np.random.default_rng(0).random((4, 2, 60, 60)).astype(np.float32)
    levels: list[list[BoxOnSlice]] = [[(at, PixelBox(20, 20, 40, 35)) for at in range(4)]]
    reference: LevelModel = FractureClassifier.load(folder, "torch")
    served: LevelModel = FractureClassifier.load(folder)
    (expected,), (found,) = (model.classify(pixels, levels) for model in (reference, served))
    assert found.probabilities == pytest.approx(expected.probabilities, abs=1e-3)


def test_another_models_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="six_channel"):
        FractureClassifier.load(bundle(tmp_path / "a", family="six_channel"), "torch")
    wrong = _SMALL.model_dump() | {"trunk": "resnet18"}
    with pytest.raises(ModelFileError, match="do not fit"):
        FractureClassifier.load(bundle(tmp_path / "b", architecture=wrong), "torch")
