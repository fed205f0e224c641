"""RT-DETR (Zhao et al. 2024, CVPR) from ultralytics' layers: a transformer on three maps, no anchors."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from spine_fracture.detection.candidates import Boxes, kept
from spine_fracture.detection.targets import QUERIES, Targets, corners_in_pixels
from spine_fracture.detection.ultralytics_library import (
    SILENT,
    RTDETRDetectionLoss,
    RTDETRDetectionModel,
    layers_of,
)
from spine_fracture.errors import InputError

_LAYOUTS = ("rtdetr-l", "rtdetr-x", "rtdetr-resnet50", "rtdetr-resnet101")
#: Every class begins at 0.01 (Lin et al. 2017). ultralytics' own start is meant for 80 classes: of two, every
#: query would begin by half believing in both.
_PRIOR = -math.log(99)


class RtDetrNetwork(nn.Module):
    """``layout`` is ``rtdetr-l``, ``rtdetr-x``, ``rtdetr-resnet50`` or ``rtdetr-resnet101``."""

    def __init__(self, layout: str, classes: int, channels: int) -> None:
        super().__init__()
        if layout not in _LAYOUTS:
            raise InputError(f"There is no RT-DETR {layout!r}: use one of {', '.join(_LAYOUTS)}.")
        layers = layers_of(layout, classes)
        layers["scale"] = next(iter(layers["scales"]))  # each layout has one
        if "resnet" in layout:  # its first layer states three channels
            layers["backbone"][0][3][0] = channels
        network: Any = RTDETRDetectionModel(layers, ch=channels, verbose=False)  # type: ignore[no-untyped-call]
        head = network.model[-1]
        for scorer in (head.enc_score_head, *head.dec_score_head):
            nn.init.constant_(scorer.bias, _PRIOR)
        # Half of its time would go into guesses that are meant for COCO's crowded pictures; the
        # denoising shows each box twice, right and wrong.
        head.num_queries, head.num_denoising = QUERIES, QUERIES // 2
        network.model[-1] = _FullPrecision(head)
        self.model: Any = network
        self._criterion = RTDETRDetectionLoss(nc=classes, use_vfl=True)

    def loss(self, pictures: Tensor, targets: Targets) -> Tensor:
        """Hungarian matching with varifocal, L1 and GIoU parts, and contrastive denoising in training.

        Queries whose predicted centre is unknown are silenced: they are no false positives.
        """
        known = {
            "cls": targets.kinds,
            "bboxes": targets.centred(),
            "batch_idx": targets.picture,
            "gt_groups": targets.counts,
        }
        given = self.model.predict(pictures, batch=known)
        with torch.autocast(pictures.device.type, enabled=False):
            boxes, scores, first_boxes, first_scores, noise = given if self.training else given[1]
            noisy_boxes = noisy_scores = None
            if noise is not None:
                noisy_boxes, boxes = torch.split(boxes, noise["dn_num_split"], dim=2)
                noisy_scores, scores = torch.split(scores, noise["dn_num_split"], dim=2)
            boxes = torch.cat([first_boxes[None], boxes])
            scores = torch.cat([first_scores[None], scores])
            middles = boxes[..., :2] * boxes.new_tensor(pictures.shape[:1:-1])
            unknown = torch.stack([targets.is_unknown(layer) for layer in middles])
            parts = self._criterion(
                (boxes, scores.masked_fill(unknown[..., None], SILENT)),
                known,
                dn_bboxes=noisy_boxes,
                dn_scores=noisy_scores,
                dn_meta=noise,
            )
            return torch.stack(list(parts.values())).sum()

    def boxes(self, pictures: Tensor) -> tuple[Boxes, ...]:
        _, (boxes, scores, *_) = self.model.predict(pictures)
        corners = corners_in_pixels(boxes[-1], *pictures.shape[2:]).cpu().numpy()
        return tuple(map(kept, map(Boxes, corners, scores[-1].sigmoid().cpu().numpy())))


class _FullPrecision(nn.Module):
    """RT-DETR's decoder in single precision: eight bits do not place a box in a picture.

    It keeps reference points from call to call, as they were then; here they are made anew, since the
    next call may be on another device.
    """

    def __init__(self, head: Any) -> None:
        super().__init__()
        self.head = head
        self.f, self.i = head.f, head.i  # where it stands among the layers

    def forward(self, maps: list[Tensor], batch: dict[str, Any] | None = None) -> Any:
        self.head.shapes = []
        with torch.autocast(maps[0].device.type, enabled=False):
            return self.head([each.float() for each in maps], batch)
