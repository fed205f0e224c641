"""The network of Yeh et al. 2022: its shapes, its trunks, and a start from local ImageNet weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import resnet18, resnet34, resnet50, resnet101

from spine_fracture.classification.sixchannel import ResNetTrunk, SixChannelConfig, SixChannelNetwork
from spine_fracture.configuration import load_config
from spine_fracture.errors import InputError, ModelFileError
from spine_fracture.training.classifiers.config import ClassifierTraining


@pytest.mark.parametrize("trunk", ["resnet10", "resnet18", "resnet34", "resnet50", "resnet101"])
@pytest.mark.parametrize("pooled", [True, False])
def test_six_channels_to_four_classes(trunk: str, pooled: bool) -> None:
    config = SixChannelConfig.model_validate({"trunk": trunk, "width": 8, "pooled_stem": pooled})
    network = SixChannelNetwork(config).eval()
    assert network(torch.zeros(2, 6, 64, 64)).shape == (2, 4)
    assert network.mix.weight.shape == (3, 6, 1, 1)


@pytest.mark.parametrize("theirs", [resnet18, resnet34, resnet50, resnet101])
def test_the_trunk_is_torchvisions(theirs: Callable[[], torch.nn.Module]) -> None:
    with torch.device("meta"):  # names and shapes alone
        ours = ResNetTrunk(theirs.__name__).state_dict()  # type: ignore[arg-type]
        reference = {k: v for k, v in theirs().state_dict().items() if not k.startswith("fc.")}
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in reference.items()}


def test_imagenet_weights_from_a_file(tmp_path: Path) -> None:
    given = resnet18()
    save_file(given.state_dict(), tmp_path / "resnet18.safetensors")
    network = SixChannelNetwork(SixChannelConfig(trunk="resnet18"))
    network.trunk.start_from_imagenet(tmp_path / "resnet18.safetensors")
    picture = torch.randn(1, 3, 64, 64)
    given.fc = torch.nn.Identity()
    features = network.eval().trunk(picture).mean(dim=(2, 3))
    torch.testing.assert_close(features, given.eval()(picture))
    narrow = SixChannelNetwork(SixChannelConfig(trunk="resnet18", width=16))
    with pytest.raises(ModelFileError, match="does not fit"):
        narrow.trunk.start_from_imagenet(tmp_path / "resnet18.safetensors")
    with pytest.raises(ModelFileError, match="No ImageNet weights"):
        narrow.trunk.start_from_imagenet(tmp_path / "absent.safetensors")


def test_the_shipped_networks_recipe_can_be_read() -> None:
    shipped = load_config("classifiers/shipped", ClassifierTraining)
    assert (shipped.network.trunk, shipped.network.width) == ("resnet18", 32)


def test_an_unknown_trunk_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("name: x\nnetwork: {trunk: resnet152}\n")
    with pytest.raises(InputError, match="trunk"):
        load_config(tmp_path / "x.yaml", ClassifierTraining)
