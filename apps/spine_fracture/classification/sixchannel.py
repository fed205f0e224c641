"""The six-channel network of Yeh et al. 2022: a 1x1 convolution from 6 to 3 channels, then a ResNet.

The ResNet (He et al. 2016) is put together from torchvision's own blocks, so that its width and
stem are a matter of configuration; at width 64 with the pooled stem its tensors bear the names and
shapes of torchvision's, and ImageNet weights given as a local file fit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from spine_fracture.anatomy import MODEL_CLASSES
from spine_fracture.classification.crops import CHANNELS
from spine_fracture.classification.networks import imagenet_state, take_weights
from spine_fracture.configuration import Chance, Config, Count, Positive, Side

Trunk = Literal["resnet10", "resnet18", "resnet34", "resnet50", "resnet101"]
_TRUNKS: dict[Trunk, tuple[type[BasicBlock | Bottleneck], tuple[int, int, int, int]]] = {
    "resnet10": (BasicBlock, (1, 1, 1, 1)),
    "resnet18": (BasicBlock, (2, 2, 2, 2)),
    "resnet34": (BasicBlock, (3, 4, 6, 3)),
    "resnet50": (Bottleneck, (3, 4, 6, 3)),
    "resnet101": (Bottleneck, (3, 4, 23, 3)),
}


class SixChannelConfig(Config):
    """Everything that is needed to run the network again; kept in the model's manifest.

    ``width`` channels leave the first stage, twice as many each later one. ``pooled_stem`` halves
    the picture once more before it, as ResNet does. ``size`` and ``margin`` say how crops are cut,
    ``slices`` how many of a level are read at most, ``join`` how they become one answer: their
    ``mean`` log-probability, or the slice of ``highest`` abnormality as in the paper.
    """

    trunk: Trunk
    width: Count = 64
    pooled_stem: bool = True
    dropout: Chance = 0.0
    size: Side = 64
    margin: Positive = 1.35
    slices: Count = 5
    join: Literal["mean", "highest"] = "mean"


class SixChannelNetwork(nn.Module):
    """(n, 6, size, size) standardised crops to (n, 4) logits over MODEL_CLASSES."""

    def __init__(self, config: SixChannelConfig) -> None:
        super().__init__()
        self.mix = nn.Conv2d(CHANNELS, 3, 1)
        self.trunk = ResNetTrunk(config.trunk, config.width, config.pooled_stem)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(self.trunk.out_channels, len(MODEL_CLASSES))
        start_convolutions(self)

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        features = self.trunk(self.mix(crops)).mean(dim=(2, 3))
        logits: torch.Tensor = self.head(self.dropout(features))
        return logits


class ResNetTrunk(nn.Module):
    """A ResNet without its classifier, 3 channels to ``out_channels``; names of tensors are torchvision's."""

    def __init__(self, trunk: Trunk, width: int = 64, pooled_stem: bool = True) -> None:
        super().__init__()
        block, depths = _TRUNKS[trunk]
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if pooled_stem else nn.Identity()
        planes = [width * 2**stage for stage in range(4)]
        inputs = [width] + [p * block.expansion for p in planes[:3]]
        self.layer1 = _stage(block, inputs[0], planes[0], depths[0], stride=1)
        self.layer2 = _stage(block, inputs[1], planes[1], depths[1], stride=2)
        self.layer3 = _stage(block, inputs[2], planes[2], depths[2], stride=2)
        self.layer4 = _stage(block, inputs[3], planes[3], depths[3], stride=2)
        self.out_channels = planes[3] * block.expansion

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.maxpool(self.relu(self.bn1(self.conv1(picture))))
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            out = stage(out)
        return out

    def start_from_imagenet(self, file: Path) -> None:
        """Take all weights from a safetensors file of torchvision's ResNet of this depth."""
        remedy = "use the same depth at width 64 with the pooled stem"
        take_weights(self, imagenet_state(file), "", file, remedy)


def _stage(
    block: type[BasicBlock | Bottleneck], inputs: int, planes: int, depth: int, stride: int
) -> nn.Sequential:
    outputs = planes * block.expansion
    shortcut = None
    if stride != 1 or inputs != outputs:
        shortcut = nn.Sequential(
            nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
        )
    first = block(inputs, planes, stride, shortcut)
    return nn.Sequential(first, *(block(outputs, planes) for _ in range(depth - 1)))


def start_convolutions(network: nn.Module) -> None:
    """Draw the weights of all convolutions as torchvision does for a ResNet (He et al. 2015)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
