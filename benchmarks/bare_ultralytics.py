"""A YOLO in ultralytics' own trainer: the same pictures and boxes, its own reading and augmentation.

Mosaic and flips are off, as with us; no validation, no files written. On a GPU both train in half
precision; on a CPU ultralytics has single precision only.
"""

from __future__ import annotations

import io
import logging
import os
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import yaml

from spine_fracture.detection import ultralytics_library  # noqa: F401  keeps ultralytics offline
from spine_fracture.training.detectors.cohort import TEACHES, cohort_pictures
from spine_fracture.training.detectors.config import DetectorConfig

_EPOCHS = 3


def ultralytics_pictures_a_second(config: DetectorConfig, cohort: Path, steps: int) -> float | None:
    """Of all epochs but the first; None for a layout that ultralytics does not have."""
    if config.layout.endswith("-resnet101"):
        return None
    from ultralytics.engine import trainer as engine
    from ultralytics.models.yolo.detect import DetectionTrainer

    class Bare(DetectionTrainer):
        """Trains, and nothing after."""

        def validate(self) -> tuple[dict[str, float], float]:
            return {}, 0.0

        def save_model(self) -> bool:
            return False

        def final_eval(self) -> None:
            pass

    count, seconds = steps * config.schedule.batch, []
    logging.getLogger("ultralytics").setLevel(logging.ERROR)
    engine.check_amp = lambda model: True  # the check downloads a network
    with tempfile.TemporaryDirectory() as folder:
        data = _write(config, cohort, Path(folder), count)
        trainer = Bare(
            overrides={
                "model": f"{config.layout}.yaml", "data": str(data), "imgsz": config.size,
                "batch": config.schedule.batch, "epochs": _EPOCHS, "amp": torch.cuda.is_available(),
                "device": 0 if torch.cuda.is_available() else "cpu", "workers": min(8, os.cpu_count() or 1),
                "project": folder, "name": "run", "plots": False, "val": False, "save": False,
                "pretrained": False, "verbose": False, "mosaic": 0.0, "fliplr": 0.0, "close_mosaic": 0,
                "optimizer": "AdamW", "nbs": config.schedule.batch,
            }
        )  # fmt: skip
        trainer.add_callback("on_train_epoch_start", lambda _: seconds.append(time.perf_counter()))
        trainer.add_callback("on_train_epoch_end", lambda _: _close(seconds))
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            trainer.train()
    return count * (_EPOCHS - 1) / sum(seconds[1:])


def _close(seconds: list[float]) -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    seconds[-1] = time.perf_counter() - seconds[-1]


def _write(config: DetectorConfig, cohort: Path, folder: Path, count: int) -> Path:
    """``count`` PNG files of T1, T2, T1 with a line a box, pictures in turn; the YAML that names them."""
    pictures = cohort_pictures(config, cohort)
    teaching = [at for at, source in enumerate(pictures.sources) if source == TEACHES]
    for name in ("images", "labels"):
        (folder / name).mkdir()
    for number, at in enumerate(islice(cycle(teaching), count)):
        picture = pictures[at]
        cv2.imwrite(str(folder / "images" / f"{number}.png"), np.stack(picture.pixels[[0, 1, 0]], axis=2))
        lines = [
            " ".join(str(value) for value in (kind, *_centred(outline / config.size)))
            for outline, kind in zip(picture.outlines, picture.kinds, strict=True)
            if kind >= 0
        ]
        (folder / "labels" / f"{number}.txt").write_text("\n".join(lines))
    names = dict(enumerate(config.task.classes))
    content = {"path": str(folder), "train": "images", "val": "images", "names": names}
    (folder / "data.yaml").write_text(yaml.safe_dump(content))
    return folder / "data.yaml"


def _centred(outline: Any) -> tuple[float, ...]:
    low, high = outline.min(axis=0), outline.max(axis=0)
    return (*((low + high) / 2), *(high - low))
