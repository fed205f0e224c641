"""Every family of detectors behind one interface, and how one is built from what a manifest says of it.

A family's module is imported when a network of it is built: only YOLO and RT-DETR need ultralytics.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol

from torch import Tensor, nn

from spine_fracture.configuration import Config
from spine_fracture.detection.candidates import Boxes
from spine_fracture.detection.targets import Targets
from spine_fracture.detection.tasks import Sequences, channels_of
from spine_fracture.errors import InputError

FamilyName = Literal["yolo", "rtdetr", "detr", "retinanet"]

#: What ``layout`` may be.
LAYOUTS: Mapping[FamilyName, tuple[str, ...]] = {
    "yolo": (
        *(f"{version}{size}" for version in ("yolov5", "yolov8", "yolo11") for size in "nsmlx"),
        *(f"yolo11{size}-resnet101" for size in "nsmlx"),
    ),
    "rtdetr": ("rtdetr-l", "rtdetr-x", "rtdetr-resnet50", "rtdetr-resnet101"),
    "detr": tuple(f"resnet{depth}{dilated}" for depth in (18, 34, 50, 101) for dilated in ("", "-dc5")),
    "retinanet": ("resnet18", "resnet34", "resnet50"),
}


class Architecture(Config):
    """All that is needed to build a network again; kept in a model's manifest.

    ``layout`` names the network within its family, its size included. ``size`` is the side of the square
    whose area pictures are read at, ``sequences`` the channels.
    """

    layout: str
    size: int
    sequences: Sequences = "T1+T2"


class DetectorNetwork(Protocol):
    """What a network of any family can do. It is an ``nn.Module``; pictures are (n, channels, rows, columns)
    in [0, 1] with sides that are multiples of 32.
    """

    def loss(self, pictures: Tensor, targets: Targets) -> Tensor:
        """One scalar to descend, a mean over the pictures. Unknown regions teach nothing."""
        ...

    def boxes(self, pictures: Tensor) -> tuple[Boxes, ...]:
        """The boxes of each picture, strongest first, with the scores of *all* classes; in eval mode."""
        ...


def build_network(
    family: FamilyName, architecture: Architecture, classes: int, imagenet: Path | None = None
) -> nn.Module:
    """An untrained :class:`DetectorNetwork`. ``imagenet`` is a local safetensors file of torchvision's
    weights for the trunk, for layouts with a ResNet; raises :class:`InputError` for an unknown layout.
    """
    channels = len(channels_of(architecture.sequences))
    if family == "yolo":
        from spine_fracture.detection.yolo import YoloNetwork

        return YoloNetwork(architecture.layout, classes, channels, imagenet)
    if family == "retinanet":
        from spine_fracture.detection.retinanet import RetinaNetwork

        return RetinaNetwork(architecture.layout, classes, channels, imagenet)
    if imagenet is not None:
        raise InputError(f"{architecture.layout} starts from scratch: leave `imagenet` out.")
    if family == "rtdetr":
        from spine_fracture.detection.rtdetr import RtDetrNetwork

        return RtDetrNetwork(architecture.layout, classes, channels)
    from spine_fracture.detection.detr import DetrNetwork

    return DetrNetwork(architecture.layout, classes, channels)
