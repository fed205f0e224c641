"""YOLO networks: undecoded heads, cells in order, unknown cells that teach nothing, a ResNet trunk."""

import io

import pytest
import torch
from PIL import Image, UnidentifiedImageError
from safetensors.torch import save_file

from spine_fracture.classification.sixchannel import ResNetTrunk
from spine_fracture.detection.candidates import cells
from spine_fracture.detection.targets import Targets
from spine_fracture.detection.tasks import KINDS
from spine_fracture.detection.yolo import YoloNetwork
from spine_fracture.errors import InputError


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return YoloNetwork("yolo11n", len(KINDS), 2)


def test_output_has_a_row_a_cell_in_training_and_in_evaluation(network):
    pictures = torch.rand(2, 2, 64, 96)
    for mode in (True, False):
        output = network.train(mode)(pictures)
        assert output.shape == (2, 4 + len(KINDS), len(cells(64, 96).centres))
        assert network.model.model[0].training is mode


def _loss(network, unknown):
    torch.manual_seed(1)
    raw = network.train().model(torch.rand(2, 2, 64, 64))
    box = torch.tensor([[19.2, 22.4, 44.8, 41.6]])
    return raw["scores"], network.loss_of(raw, Targets(box, torch.tensor([2]), torch.tensor([1]), unknown))


def test_unknown_cells_have_no_gradient_and_the_others_have(network):
    unknown = torch.zeros(2, 64, 64, dtype=torch.bool)
    unknown[0, :40] = True
    scores, loss = _loss(network, unknown)
    (gradient,) = torch.autograd.grad(loss, scores)
    above = torch.from_numpy(cells(64, 64).centres[:, 1] < 40)
    assert gradient[0][:, above].abs().max() < 1e-9
    assert gradient[0][:, ~above].abs().min() > 0
    assert gradient[1].abs().min() > 0


def test_a_picture_that_is_unknown_weighs_nothing(network):
    unknown = torch.zeros(2, 64, 64, dtype=torch.bool)
    _, heard = _loss(network, unknown)
    unknown[0] = True
    _, silent = _loss(network, unknown)
    assert silent < heard


def test_a_resnet_takes_the_place_of_the_backbone_and_starts_from_a_file(tmp_path):
    trunk = ResNetTrunk("resnet101")
    save_file(trunk.state_dict(), tmp_path / "resnet101.safetensors")
    network = YoloNetwork("yolo11n-resnet101", 2, 2, tmp_path / "resnet101.safetensors")
    own = network.model.model[1].m
    torch.testing.assert_close(own[0].weight, trunk.conv1.weight)
    torch.testing.assert_close(own[7][2].conv3.weight, trunk.layer4[2].conv3.weight)
    raw = network.model(torch.rand(1, 2, 64, 64))
    assert [tuple(each.shape[2:]) for each in raw["feats"]] == [(8, 8), (4, 4), (2, 2)]


@pytest.mark.parametrize("layout", ["yolo11", "yolo12n", "yolov8n-resnet101", "../yolo11n"])
def test_an_unknown_layout_is_refused(layout):
    with pytest.raises(InputError, match="yolo11n-resnet101"):
        YoloNetwork(layout, 2, 2)


@pytest.mark.parametrize("version", ["yolov5", "yolov8", "yolo11"])
def test_every_size_is_built_and_larger_than_the_one_before(version, monkeypatch):
    # To draw up to a hundred million weights is what takes long in building, and none is looked at.
    monkeypatch.setattr(torch.nn.init, "kaiming_uniform_", lambda weights, **how: weights)
    sizes = []
    for size in "nsmlx":
        network = YoloNetwork(version + size, len(KINDS), 2)
        assert network.model.stride.tolist() == [8, 16, 32]
        sizes.append(sum(weights.numel() for weights in network.parameters()))
    assert sizes == sorted(set(sizes))


def test_pillow_opens_pictures_by_itself():
    assert Image.open.__module__ == "PIL.Image"
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(b"no picture"))
