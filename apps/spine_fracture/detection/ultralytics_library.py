"""The one place that imports ultralytics, kept offline and off Pillow.

Neither ultralytics' trainer, nor its pickled files, nor any download is used.
"""

from __future__ import annotations

import copy
import os
from typing import Any

from PIL import Image
from PIL.Image import open as _open_picture

# Before its import: ultralytics would look for the internet and install packages by itself.
os.environ["YOLO_OFFLINE"] = "true"
os.environ["YOLO_AUTOINSTALL"] = "false"

from ultralytics.models.utils.loss import RTDETRDetectionLoss as RTDETRDetectionLoss
from ultralytics.nn.tasks import DetectionModel as DetectionModel
from ultralytics.nn.tasks import RTDETRDetectionModel as RTDETRDetectionModel
from ultralytics.nn.tasks import yaml_model_load
from ultralytics.utils.loss import v8DetectionLoss as v8DetectionLoss

# Its import replaces Pillow's function for the whole process by one that answers a file that is no
# picture by looking for another package, ModuleNotFoundError where there is none. Pillow's own goes back.
Image.open = _open_picture

#: Logit that makes the loss of a cell's or a query's class and its gradient vanish.
SILENT = -30.0


def layers_of(layout: str, classes: int) -> dict[str, Any]:
    """The layers of a layout that comes with ultralytics, e.g. ``yolo11n``, for so many classes."""
    layers = yaml_model_load(f"{layout}.yaml")  # type: ignore[no-untyped-call]
    return {**copy.deepcopy(layers), "nc": classes}
