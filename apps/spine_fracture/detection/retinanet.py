"""RetinaNet (Lin et al. 2017, ICCV) on a ResNet, from torchvision's parts."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.retinanet import RetinaNet
from torchvision.ops import box_iou

from spine_fracture.classification.sixchannel import ResNetTrunk, Trunk
from spine_fracture.detection.candidates import Boxes, kept
from spine_fracture.detection.targets import Targets
from spine_fracture.errors import InputError

_TRUNKS: dict[str, Trunk] = {"resnet18": "resnet18", "resnet34": "resnet34", "resnet50": "resnet50"}
#: Sides of the anchors on maps at 8, 16, 32 and 64 pixels: a body measures 15 to 60 pixels of a picture as
#: it is read, where the objects of the paper's photographs measured 32 to 512.
_SIDES = (16, 32, 64, 128)
_STEPS = (1.0, 2 ** (1 / 3), 2 ** (2 / 3))
_SHAPES = (0.5, 1.0, 2.0)


class RetinaNetwork(nn.Module):
    """``layout`` is the trunk: ``resnet18`` as in the lumbar study, ``resnet34`` or ``resnet50``."""

    def __init__(self, layout: str, classes: int, channels: int, imagenet: Path | None = None) -> None:
        super().__init__()
        if layout not in _TRUNKS:
            raise InputError(f"There is no RetinaNet on {layout!r}: use one of {', '.join(_TRUNKS)}.")
        # Makes three channels, so that ImageNet's weights fit.
        self.mix = nn.Conv2d(channels, 3, 1)
        backbone = resnet_fpn_backbone(
            backbone_name=layout,
            weights=None,
            # torchvision freezes the normalisation of a trunk that others trained; this one is trained.
            norm_layer=nn.BatchNorm2d,
            trainable_layers=5,
            returned_layers=[2, 3, 4],
        )
        if imagenet is not None:
            trunk = ResNetTrunk(_TRUNKS[layout])
            trunk.start_from_imagenet(imagenet)
            backbone.body.load_state_dict(trunk.state_dict())
        sides = tuple(tuple(side * step for step in _STEPS) for side in _SIDES)
        anchors = AnchorGenerator(sides, (_SHAPES,) * len(_SIDES))
        # Its forward is not used: it would size and normalise pictures once more, and keeps of each
        # box one class alone.
        self.model = RetinaNet(backbone, classes, anchor_generator=anchors)

    def loss(self, pictures: Tensor, targets: Targets) -> Tensor:
        """Focal loss of the classes and L1 loss of the boxes.

        Unknown anchors, by their centre, are left out as those are that overlap a body only a little.
        """
        answers, anchors = self._answers(pictures)
        with torch.autocast(pictures.device.type, enabled=False):
            answers = {name: answer.float() for name, answer in answers.items()}
            unknown = targets.is_unknown((anchors[:, :2] + anchors[:, 2:]) / 2)
            known, matches = [], []
            matcher = self.model.proposal_matcher
            for (boxes, labels), hidden in zip(targets.by_picture(targets.corners), unknown, strict=True):
                match = torch.full((len(anchors),), matcher.BELOW_LOW_THRESHOLD, device=anchors.device)
                if len(boxes):
                    match = matcher(box_iou(boxes, anchors))
                background = match == matcher.BELOW_LOW_THRESHOLD
                matches.append(match.masked_fill(background & hidden, matcher.BETWEEN_THRESHOLDS))
                known.append({"boxes": boxes, "labels": labels})
            parts = self.model.head.compute_loss(known, answers, [anchors] * len(pictures), matches)
            return torch.stack(list(parts.values())).sum()

    def boxes(self, pictures: Tensor) -> tuple[Boxes, ...]:
        answers, anchors = self._answers(pictures)
        found = []
        for places, logits in zip(answers["bbox_regression"], answers["cls_logits"], strict=True):
            corners = self.model.box_coder.decode_single(places, anchors)
            found.append(kept(Boxes(corners.cpu().numpy(), logits.sigmoid().cpu().numpy())))
        return tuple(found)

    def _answers(self, pictures: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """``cls_logits`` (n, anchors, classes), ``bbox_regression`` (n, anchors, 4); anchors as corners."""
        maps = list(self.model.backbone(self.mix(pictures)).values())
        size = (pictures.shape[2], pictures.shape[3])
        # In single precision, whatever the maps are in.
        anchors = self.model.anchor_generator(ImageList(pictures.float(), [size]), [m.float() for m in maps])
        return self.model.head(maps), anchors[0]
