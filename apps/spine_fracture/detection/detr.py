"""DETR (Carion et al. 2020, ECCV) from transformers' layers, built from a configuration, never downloaded."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import DetrConfig, DetrForObjectDetection
from transformers.loss.loss_for_object_detection import ForObjectDetectionLoss
from transformers.models.detr.modeling_detr import DetrFrozenBatchNorm2d

from spine_fracture.detection.candidates import Boxes, kept
from spine_fracture.detection.targets import QUERIES, Targets, corners_in_pixels
from spine_fracture.errors import InputError

_TRUNKS: dict[str, tuple[str, list[int], list[int]]] = {
    "resnet18": ("basic", [2, 2, 2, 2], [64, 128, 256, 512]),
    "resnet34": ("basic", [3, 4, 6, 3], [64, 128, 256, 512]),
    "resnet50": ("bottleneck", [3, 4, 6, 3], [256, 512, 1024, 2048]),
    "resnet101": ("bottleneck", [3, 4, 23, 3], [256, 512, 1024, 2048]),
}
_DILATED = "-dc5"
_SILENT = 30.0


class DetrNetwork(nn.Module):
    """``layout`` is ``resnet18``, ``resnet34``, ``resnet50`` or ``resnet101``; with ``-dc5`` behind it the
    last stage is dilated, which doubles the resolution of the map that the transformer reads. A body
    measures about one cell of the map otherwise.
    """

    def __init__(self, layout: str, classes: int, channels: int) -> None:
        super().__init__()
        trunk = layout.removesuffix(_DILATED)
        if trunk not in _TRUNKS:
            raise InputError(f"There is no DETR on {layout!r}: use {', '.join(_TRUNKS)}, or one with -dc5.")
        kind, depths, widths = _TRUNKS[trunk]
        backbone = {"layer_type": kind, "depths": depths, "hidden_sizes": widths, "out_features": ["stage4"]}
        settings: dict[str, Any] = {
            "use_timm_backbone": False,
            "use_pretrained_backbone": False,
            "backbone_config": {"model_type": "resnet", "num_channels": channels, **backbone},
            "num_channels": channels,
            "num_labels": classes,
            "num_queries": QUERIES,
            "auxiliary_loss": True,
        }
        self._settings = DetrConfig(**settings)
        self.model: Any = DetrForObjectDetection(self._settings)
        _thaw(self.model.model.backbone)
        if layout.endswith(_DILATED):
            _dilate(self.model.model.backbone.model.encoder.stages[-1])

    def loss(self, pictures: Tensor, targets: Targets) -> Tensor:
        """Hungarian matching with cross-entropy, L1 and GIoU parts, of every layer of the decoder.

        Queries whose predicted centre is unknown are made to say "no object": they are no false positives.
        """
        logits, centred = self._answers(pictures)
        with torch.autocast(pictures.device.type, enabled=False):
            middles = centred[..., :2] * centred.new_tensor(pictures.shape[:1:-1])
            unknown = torch.stack([targets.is_unknown(layer) for layer in middles])
            silent = logits.new_full((logits.shape[-1],), -_SILENT)
            silent[-1] = _SILENT
            logits = torch.where(unknown[..., None], silent, logits)
            if not len(targets.kinds) or not torch.isfinite(centred).all():
                # Nothing to match; and a spoilt network gives a spoilt loss, which ends the training.
                nothing = torch.full_like(logits[..., 0], logits.shape[-1] - 1, dtype=torch.int64)
                return functional.cross_entropy(logits.flatten(0, 2), nothing.flatten()) + 0 * centred.sum()
            labels = [
                {"boxes": boxes, "class_labels": kinds}
                for boxes, kinds in targets.by_picture(targets.centred())
            ]
            total, _, _ = ForObjectDetectionLoss(  # type: ignore[no-untyped-call]
                logits[-1], labels, pictures.device, centred[-1], self._settings, logits, centred
            )
            summed: Tensor = total
            return summed

    def boxes(self, pictures: Tensor) -> tuple[Boxes, ...]:
        logits, centred = self._answers(pictures)
        corners = corners_in_pixels(centred[-1], *pictures.shape[2:]).cpu().numpy()
        scores = logits[-1].softmax(-1)[..., :-1].cpu().numpy()
        return tuple(map(kept, map(Boxes, corners, scores)))

    def _answers(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Of each layer of the decoder logits (layers, n, queries, classes + 1), the last one "no object",
        and boxes (layers, n, queries, 4) as centre and size in shares of the picture.
        """
        hidden = self.model.model(pictures).intermediate_hidden_states
        with torch.autocast(pictures.device.type, enabled=False):
            hidden = hidden.float()
            return self.model.class_labels_classifier(hidden), self.model.bbox_predictor(hidden).sigmoid()


def _thaw(module: nn.Module) -> None:
    """Let a trunk learn that is built frozen, as is right for one that was trained elsewhere."""
    for name, child in module.named_children():
        if isinstance(child, DetrFrozenBatchNorm2d):
            setattr(module, name, nn.BatchNorm2d(len(child.weight)))
        else:
            _thaw(child)
    module.requires_grad_(True)


def _dilate(stage: nn.Module) -> None:
    """A stage of a ResNet without its stride, looking as far as with it."""
    for layer in stage.modules():
        if isinstance(layer, nn.Conv2d):
            layer.stride = (1, 1)
            if layer.kernel_size == (3, 3):
                layer.dilation = layer.padding = (2, 2)
