"""The one place that touches ultralytics: YOLO networks as plain torch modules, and their loss.

Neither ultralytics' trainer, nor its pickled files, nor any download is used.
"""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from PIL.Image import open as _open_picture
from torch import Tensor, nn

# Before its import: ultralytics would look for the internet and install packages by itself.
os.environ["YOLO_OFFLINE"] = "true"
os.environ["YOLO_AUTOINSTALL"] = "false"

from ultralytics.nn.tasks import DetectionModel, yaml_model_load
from ultralytics.utils.loss import v8DetectionLoss

# Its import replaces Pillow's function for the whole process by one that answers a file that is no
# picture by looking for another package, ModuleNotFoundError where there is none. Pillow's own goes back.
Image.open = _open_picture

#: Outputs of the detector, in this order: kinds of vertebra, not names of levels.
KINDS: tuple[str, ...] = ("vertebra", "abnormal", "sacrum", "axis")
#: Cells of the three feature maps, in pixels.
STRIDES: tuple[int, ...] = (8, 16, 32)
#: Logit that makes an anchor's classification loss and its gradient vanish.
_SILENT = -30.0


class Losses(NamedTuple):
    """Sum to descend, and its parts box, classes and distribution a picture (detached)."""

    total: Tensor
    box: float
    kind: float
    distribution: float


class YoloNetwork(nn.Module):
    """An anchor-free YOLO (Jocher et al.) on two-channel pictures.

    ``forward`` takes (n, 2, rows, columns) in [0, 1], sides multiples of 32, and gives
    (n, 4 + kinds, cells): distances from the cell's centre to the left, top, right and bottom
    edges in strides of the cell, then a score in [0, 1] a kind. Cells are those of :func:`cells`.
    """

    def __init__(self, layout: str = "yolo11n") -> None:
        super().__init__()
        layers = {**_architecture(layout), "nc": len(KINDS)}
        self.model: Any = DetectionModel(layers, ch=2, verbose=False)  # type: ignore[no-untyped-call]
        self.train()

    def train(self, mode: bool = True) -> Self:
        """As in torch, but the head alone always gives its undecoded outputs."""
        super().train(mode)
        self.model.model[-1].training = True
        return self

    def raw(self, pictures: Tensor) -> dict[str, Any]:
        """The head's undecoded outputs: ``boxes`` (n, 64, cells), ``scores`` logits, ``feats``."""
        return dict(self.model(pictures))

    def forward(self, pictures: Tensor) -> Tensor:
        raw = self.raw(pictures)
        return torch.cat([self.model.model[-1].dfl(raw["boxes"]), raw["scores"].sigmoid()], 1)


def _architecture(layout: str) -> dict[str, Any]:
    """The layers of a layout that comes with ultralytics, e.g. ``yolo11n``."""
    return dict(yaml_model_load(f"{layout}.yaml"))  # type: ignore[no-untyped-call]


class Cells(NamedTuple):
    """The network's cells in its order: ``centres`` (cells, 2), (x, y), and ``strides`` (cells,), pixels."""

    centres: npt.NDArray[np.float32]
    strides: npt.NDArray[np.float32]


def cells(rows: int, columns: int) -> Cells:
    """The cells of a picture whose sides are multiples of 32."""
    centres, strides = [], []
    for stride in STRIDES:
        y, x = np.mgrid[: rows // stride, : columns // stride]
        centres.append((np.stack([x, y], -1).reshape(-1, 2) + 0.5) * stride)
        strides.append(np.full(len(centres[-1]), stride))
    return Cells(np.concatenate(centres).astype(np.float32), np.concatenate(strides).astype(np.float32))


class DetectionLoss:
    """The loss of YOLOv8 and 11 (task-aligned assignment, CIoU, distribution focal loss).

    Cells marked ``unknown`` teach nothing: what lies there was not labelled.
    """

    def __init__(self, network: YoloNetwork, box: float = 7.5, kind: float = 0.5, distribution: float = 1.5):
        network.model.args = SimpleNamespace(box=box, cls=kind, dfl=distribution)
        self._loss = v8DetectionLoss(network.model)

    def __call__(
        self, raw: dict[str, Any], boxes: Tensor, kinds: Tensor, picture: Tensor, unknown: Tensor
    ) -> Losses:
        """The loss of one batch.

        ``boxes`` (b, 4) centre x, y, width, height as shares of the picture, ``kinds`` (b,),
        ``picture`` (b,) the row of the batch each box is in, ``unknown`` (n, cells) bool.
        """
        floats = {
            "boxes": raw["boxes"].float(),
            "scores": raw["scores"].float().masked_fill(unknown[:, None], _SILENT),
            "feats": raw["feats"],
        }
        batch = {"bboxes": boxes, "cls": kinds.float(), "batch_idx": picture.float()}
        total, parts = self._loss.loss(floats, batch)
        return Losses(total.sum(), *(float(parts[name]) for name in ("box_loss", "cls_loss", "dfl_loss")))
