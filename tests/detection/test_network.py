"""The adapter round ultralytics: undecoded heads, cells in order, unknown cells that teach nothing."""

import io

import pytest
import torch
from PIL import Image, UnidentifiedImageError

from spine_fracture.detection.network import KINDS, DetectionLoss, YoloNetwork, cells


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return YoloNetwork()


def test_output_has_a_row_a_cell_in_training_and_in_evaluation(network):
    pictures = torch.rand(2, 2, 64, 96)
    for mode in (True, False):
        output = network.train(mode)(pictures)
        assert output.shape == (2, 4 + len(KINDS), len(cells(64, 96).centres))
        assert network.model.model[0].training is mode


def test_cells_cover_the_picture_row_by_row():
    grid = cells(64, 96)
    assert grid.centres[:2].tolist() == [[4, 4], [12, 4]]
    assert grid.strides.tolist() == [8] * 96 + [16] * 24 + [32] * 6


def _loss(network, unknown):
    torch.manual_seed(1)
    raw = network.train().raw(torch.rand(2, 2, 64, 64))
    boxes = torch.tensor([[0.5, 0.5, 0.4, 0.3]])
    losses = DetectionLoss(network)(raw, boxes, torch.tensor([2]), torch.tensor([1]), unknown)
    return raw["scores"], losses


def test_unknown_cells_have_no_gradient_and_the_others_have(network):
    unknown = torch.zeros(2, 84, dtype=torch.bool)
    unknown[0, :40] = True
    scores, losses = _loss(network, unknown)
    (gradient,) = torch.autograd.grad(losses.total, scores)
    assert gradient[0, :, :40].abs().max() < 1e-9
    assert gradient[0, :, 40:].abs().min() > 0


def test_a_picture_of_unknown_cells_weighs_nothing(network):
    everything = torch.ones(2, 84, dtype=torch.bool)
    everything[1] = False
    nothing = torch.zeros(2, 84, dtype=torch.bool)
    _, silent = _loss(network, everything)
    _, heard = _loss(network, nothing)
    assert silent.kind < heard.kind
    assert silent.box == pytest.approx(heard.box)


def test_pillow_opens_pictures_by_itself():
    assert Image.open.__module__ == "PIL.Image"
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(b"no picture"))
