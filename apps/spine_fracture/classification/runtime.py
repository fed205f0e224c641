"""Where the classifier's forward pass runs. PyTorch is the reference; OpenVINO serves."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from spine_fracture.classification.crops import CHANNELS
from spine_fracture.imaging import Pixels

RuntimeName = Literal["openvino", "torch"]
#: (n, 6, size, size) float32 to (n, classes) float32.
Forward = Callable[[Pixels], npt.NDArray[np.float32]]


def open_runtime(network: nn.Module, size: int, name: RuntimeName) -> Forward:
    """The forward pass of ``network`` (in evaluation mode) in the runtime asked for."""
    return _openvino(network, size) if name == "openvino" else _torch(network)


def _torch(network: nn.Module) -> Forward:
    def forward(crops: Pixels) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            return np.asarray(network(torch.from_numpy(crops)).numpy(), dtype=np.float32)

    return forward


def _openvino(network: nn.Module, size: int) -> Forward:
    import openvino

    from spine_fracture.openvino_cpu import compiled

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of the tracing that OpenVINO uses
        converted = openvino.convert_model(
            network,
            example_input=torch.zeros(2, CHANNELS, size, size),
            input=[-1, CHANNELS, size, size],
        )
    ready: Any = compiled(converted)

    def forward(crops: Pixels) -> npt.NDArray[np.float32]:
        # A request of its own each time, so that threads of a server do not share one.
        request = ready.create_infer_request()
        return np.asarray(request.infer([crops])[0], dtype=np.float32)

    return forward
