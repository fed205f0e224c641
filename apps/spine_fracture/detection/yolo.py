"""YOLOv5u, YOLOv8 and YOLO11 as plain torch modules, and YOLO11 on a ResNet-101 trunk.

The last is the network of Ahn et al. 2026 (The Spine Journal, doi 10.1016/j.spinee.2026.04.010), which does
not say how the two were joined; here the maps of the trunk at 8, 16 and 32 pixels take the places of
YOLO11's own.
"""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import torch
from torch import Tensor, nn

from spine_fracture.classification.sixchannel import ResNetTrunk
from spine_fracture.detection.candidates import Boxes, boxes_of, cells
from spine_fracture.detection.targets import Targets
from spine_fracture.detection.ultralytics_library import SILENT, DetectionModel, layers_of, v8DetectionLoss
from spine_fracture.errors import InputError

_LAYOUT = re.compile(r"(yolov5|yolov8|yolo11)[nsmlx]|yolo11[nsmlx](?=-resnet101$)")
_RESNET = "-resnet101"
#: Weights of the box, class and distribution parts of the loss: ultralytics' defaults.
_WEIGHTS = SimpleNamespace(box=7.5, cls=0.5, dfl=1.5)
#: Where torchvision's parts of a ResNet stand when its children are a sequence.
_PARTS = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")


class YoloNetwork(nn.Module):
    """An anchor-free YOLO (Jocher et al.): ``layout`` is ``yolov5``, ``yolov8`` or ``yolo11`` with a size
    from ``n`` to ``x``, e.g. ``yolov8s``; ``yolo11n-resnet101`` has a neck and head of size n on ResNet-101.

    ``forward`` takes (n, channels, rows, columns) in [0, 1], sides multiples of 32, and gives
    (n, 4 + classes, cells): distances from the cell's centre to the left, top, right and bottom
    edges in strides of the cell, then a score in [0, 1] a class. Cells are those of
    :func:`spine_fracture.detection.candidates.cells`.
    """

    def __init__(self, layout: str, classes: int, channels: int, imagenet: Path | None = None) -> None:
        super().__init__()
        own, resnet = layout.removesuffix(_RESNET), layout.endswith(_RESNET)
        if not (_LAYOUT.fullmatch(own) and (own.startswith("yolo11") or not resnet)):
            raise InputError(
                f"There is no YOLO {layout!r}: use yolov5, yolov8 or yolo11 with a size n, s, m, l or x, "
                "such as yolo11n, or yolo11n-resnet101."
            )
        layers = layers_of(own, classes)
        if resnet:
            layers = _on_resnet(layers, channels)
        network: Any = DetectionModel(layers, ch=channels, verbose=False)  # type: ignore[no-untyped-call]
        network.args = _WEIGHTS
        self.model: Any = network
        if imagenet is not None:
            if not resnet:
                raise InputError(f"{layout} starts from scratch: leave `imagenet` out.")
            self._start_from_imagenet(imagenet)
        self.train()

    def train(self, mode: bool = True) -> Self:
        """As in torch, but the head alone always gives its undecoded outputs."""
        super().train(mode)
        self.model.model[-1].training = True
        return self

    def forward(self, pictures: Tensor) -> Tensor:
        raw = self.model(pictures)
        return torch.cat([self.model.model[-1].dfl(raw["boxes"]), raw["scores"].sigmoid()], 1)

    def loss(self, pictures: Tensor, targets: Targets) -> Tensor:
        """Task-aligned assignment, CIoU and distribution focal loss, as for YOLOv8 and 11.

        Cells whose centre is unknown have no part in the classes' loss.
        """
        return self.loss_of(self.model(pictures), targets)

    def loss_of(self, raw: dict[str, Any], targets: Targets) -> Tensor:
        """Of the head's undecoded outputs: ``boxes`` (n, 64, cells), ``scores`` logits, ``feats``."""
        with torch.autocast(raw["scores"].device.type, enabled=False):
            centres = torch.from_numpy(cells(*targets.unknown.shape[1:]).centres).to(targets.unknown.device)
            unknown = targets.is_unknown(centres)
            floats = {
                "boxes": raw["boxes"].float(),
                "scores": raw["scores"].float().masked_fill(unknown[:, None], SILENT),
                "feats": raw["feats"],
            }
            batch = {"bboxes": targets.centred(), "cls": targets.kinds.float(), "batch_idx": targets.picture}
            total, _ = v8DetectionLoss(self.model).loss(floats, batch)
            summed: Tensor = total.sum()
        return summed / len(unknown)

    def boxes(self, pictures: Tensor) -> tuple[Boxes, ...]:
        grid = cells(*pictures.shape[2:])
        return tuple(boxes_of(output, grid) for output in self(pictures).float().cpu().numpy())

    def _start_from_imagenet(self, file: Path) -> None:
        trunk = ResNetTrunk("resnet101")
        trunk.start_from_imagenet(file)
        named = ((key.partition("."), value) for key, value in trunk.state_dict().items())
        state = {f"{_PARTS.index(part)}.{rest}": value for (part, _, rest), value in named}
        self.model.model[1].m.load_state_dict(state)


def _on_resnet(layers: dict[str, Any], channels: int) -> dict[str, Any]:
    """YOLO11's layers with torchvision's ResNet-101 in the place of its backbone.

    A 1x1 convolution makes three channels, so that ImageNet's weights fit.
    """
    # The trunk gives a list, beginning with what it was given: 6, 7 and 8 are its last three stages.
    stages = [[1, 1, "Index", [width, at]] for width, at in ((512, 6), (1024, 7), (2048, 8))]
    backbone = [
        [-1, 1, "nn.Conv2d", [channels, 3, 1]],
        [-1, 1, "TorchVision", [2048, "resnet101", None, True, 2, True]],
        *stages,
        *layers["backbone"][-2:],  # pooling and attention on the coarsest map
    ]
    # YOLO11's layers that the head goes back to, by where they stand now. The head itself moves up.
    moved = {4: 2, 6: 3, 10: 6}
    shift = len(layers["backbone"]) - len(backbone)

    def source(at: int) -> int:
        return at if at < 0 else moved.get(at, at - shift)

    head = [
        [source(at) if isinstance(at, int) else [source(k) for k in at], *rest]
        for at, *rest in layers["head"]
    ]
    return {**layers, "backbone": backbone, "head": head}
