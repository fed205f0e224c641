"""ConvNeXt (Liu et al. 2022, A ConvNet for the 2020s) for crops of one to three sequences.

torchvision's own blocks and names of tensors, so that ImageNet weights given as a local file fit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from torch import nn
from torchvision.models.convnext import CNBlockConfig, ConvNeXt

from spine_fracture.classification.networks import imagenet_state, take_weights

ConvNeXtTrunk = Literal["convnext_atto", "convnext_tiny", "convnext_small", "convnext_base", "convnext_large"]
#: Channels of the first stage, twice as many each later one, and blocks of the four stages. All are
#: torchvision's but atto, the smallest of ConvNeXt V2 (Woo et al. 2023), for machines without a GPU.
_STAGES: dict[ConvNeXtTrunk, tuple[int, tuple[int, int, int, int]]] = {
    "convnext_atto": (40, (2, 2, 6, 2)),
    "convnext_tiny": (96, (3, 3, 9, 3)),
    "convnext_small": (96, (3, 3, 27, 3)),
    "convnext_base": (128, (3, 3, 27, 3)),
    "convnext_large": (192, (3, 3, 27, 3)),
}
_HEAD, _FIRST = "classifier.2.", "features.0.0.weight"


def convnext(trunk: ConvNeXtTrunk, channels: int, classes: int, drop_path: float) -> ConvNeXt:
    """(n, channels, rows, columns), rows and columns at least 32, to (n, classes) logits.

    ``drop_path`` is the chance that the last block is passed by in training (stochastic depth, Huang et
    al. 2016); that of earlier blocks rises linearly to it.
    """
    width, depths = _STAGES[trunk]
    widths = [width * 2**stage for stage in range(4)]
    setting = [
        CNBlockConfig(inputs, outputs, depth)
        for inputs, outputs, depth in zip(widths, [*widths[1:], None], depths, strict=True)
    ]
    network = ConvNeXt(setting, stochastic_depth_prob=drop_path, num_classes=classes)
    first = network.features[0]
    first[0] = nn.Conv2d(channels, width, kernel_size=4, stride=4)
    nn.init.trunc_normal_(first[0].weight, std=0.02)
    nn.init.zeros_(first[0].bias)
    return network


def start_from_imagenet(network: ConvNeXt, file: Path) -> None:
    """Take all but the last layer from a safetensors file of torchvision's ConvNeXt of this size.

    Its first layer reads red, green and blue; for other numbers of channels each gets their mean, scaled
    so that the sum over channels stays what it was.
    """
    given = imagenet_state(file)
    if _FIRST in given and given[_FIRST].shape[1] != (channels := network.state_dict()[_FIRST].shape[1]):
        mean = given[_FIRST].mean(dim=1, keepdim=True)
        given[_FIRST] = mean.repeat(1, channels, 1, 1) * (given[_FIRST].shape[1] / channels)
    take_weights(network, given, _HEAD, file, "use the weights of the same ConvNeXt")
