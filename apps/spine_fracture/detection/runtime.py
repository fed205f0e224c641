"""Two ways to run a detector's network: OpenVINO for what is served on a CPU, PyTorch for all else."""

from __future__ import annotations

import threading
import warnings
from typing import Literal, Protocol

import numpy as np
import openvino
import torch
from torch import nn

from spine_fracture.detection.candidates import Boxes, boxes_of, cells
from spine_fracture.imaging import Pixels
from spine_fracture.openvino_cpu import compiled

Runtime = Literal["openvino", "torch"]
#: Pictures that are read at once: a GPU's memory holds no more of the largest networks.
_AT_ONCE = 32


class Forward(Protocol):
    """Placed pictures (n, channels, rows, columns) to the boxes of each. Safe in several threads."""

    def __call__(self, pictures: Pixels) -> tuple[Boxes, ...]: ...


class TorchForward:
    """The reference runtime: eager PyTorch, float32, on a GPU where there is one."""

    def __init__(self, network: nn.Module) -> None:
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._network = network.to(self._device).eval()
        # RT-DETR keeps the size of the picture it is reading in itself.
        self._one_at_a_time = threading.Lock()

    @torch.inference_mode()
    def __call__(self, pictures: Pixels) -> tuple[Boxes, ...]:
        found: list[Boxes] = []
        with self._one_at_a_time:
            for start in range(0, len(pictures), _AT_ONCE):
                part = torch.from_numpy(pictures[start : start + _AT_ONCE]).to(self._device)
                found.extend(self._network.boxes(part))  # type: ignore[operator]
        return tuple(found)


class OpenVinoForward:
    """The serving runtime of YOLO networks: OpenVINO on the CPU, float32, compiled once a picture size."""

    def __init__(self, network: nn.Module, channels: int) -> None:
        self._channels = channels
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of the tracing that OpenVINO uses
            self._model = openvino.convert_model(
                network.eval(), example_input=torch.zeros(1, channels, 64, 64), input=[-1, channels, -1, -1]
            )
        self._compiled: dict[tuple[int, int], openvino.CompiledModel] = {}

    def __call__(self, pictures: Pixels) -> tuple[Boxes, ...]:
        grid = cells(*pictures.shape[2:])
        return tuple(boxes_of(output, grid) for output in self.outputs(pictures))

    def outputs(self, pictures: Pixels) -> Pixels:
        """The network's output as it is, (n, 4 + classes, cells)."""
        size = (pictures.shape[2], pictures.shape[3])
        ready = self._compiled.get(size) or self._compile(size)
        # A request of its own for each call: requests must not be shared between threads.
        return np.asarray(ready.create_infer_request().infer(pictures)[0])

    def _compile(self, size: tuple[int, int]) -> openvino.CompiledModel:
        model = self._model.clone()
        model.reshape([-1, self._channels, *size])
        self._compiled[size] = compiled(model)
        return self._compiled[size]
