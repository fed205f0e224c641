"""The vertebra detector: a bundle of weights that finds bodies in the slices of a pair."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Literal, Protocol, Self

import numpy as np
import openvino
import torch

from spine_fracture.bundle import Manifest, read_bundle
from spine_fracture.detection.candidates import Candidate, boxes_of
from spine_fracture.detection.letterbox import Letterbox
from spine_fracture.detection.network import KINDS, YoloNetwork, cells
from spine_fracture.errors import InputError, ModelFileError
from spine_fracture.imaging import Pixels

Runtime = Literal["openvino", "torch"]


class _Forward(Protocol):
    """Placed pictures (n, 2, rows, columns) to the network's output (n, 4 + kinds, cells)."""

    def __call__(self, pictures: Pixels) -> Pixels: ...


class VertebraDetector:
    """Finds vertebral bodies, S1 and C2 on every slice. Names come later, from their sequence.

    Safe to call from several threads.
    """

    def __init__(self, network: YoloNetwork, size: int, version: str, runtime: Runtime = "openvino") -> None:
        self.network = network.eval()
        self.size = size
        self.version = version
        self._forward: _Forward = OpenVinoForward(network) if runtime == "openvino" else TorchForward(network)

    @classmethod
    def load(cls, folder: Path, runtime: Runtime = "openvino") -> Self:
        """From a bundle; raises :class:`ModelFileError` if it is damaged or no detector of ours."""
        manifest, state = read_bundle(folder)
        network = network_of(manifest)
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            raise ModelFileError(
                f"The weights of {manifest.name} do not fit its architecture: train or install it again."
            ) from error
        return cls(network, int(str(manifest.architecture["size"])), manifest.version, runtime)

    def detect(self, pixels: Pixels) -> tuple[Candidate, ...]:
        """All candidates of all slices, ``pixels`` (slices, 2, rows, columns) in [0, 1], T1 then T2.

        A missing sequence is a channel of zeros. Slices are read in one batch. Boxes are in
        pixels of the given pictures, whatever size the network reads.
        """
        if pixels.ndim != 4 or pixels.shape[1] != 2:
            raise InputError(f"The detector reads (slices, 2, rows, columns), got {pixels.shape}.")
        letterbox = Letterbox(pixels.shape[2], pixels.shape[3], self.size)
        grid = cells(*letterbox.canvas)
        outputs = self._forward(letterbox.place(pixels))
        found = []
        for index, output in enumerate(outputs):
            boxes = boxes_of(output, grid)
            for corners, scores in zip(boxes.corners.tolist(), boxes.scores.tolist(), strict=True):
                box = letterbox.back(*corners)
                if box is not None:
                    found.append(Candidate(index, box, *scores))
        return tuple(found)


def network_of(manifest: Manifest) -> YoloNetwork:
    """The untrained network that ``manifest`` describes."""
    if manifest.family != "yolo" or manifest.classes != KINDS:
        raise ModelFileError(
            f"{manifest.name} is a {manifest.family} model of {', '.join(manifest.classes)}, "
            f"not a YOLO detector of {', '.join(KINDS)}."
        )
    return YoloNetwork(str(manifest.architecture["layout"]))


class TorchForward:
    """The reference runtime: eager PyTorch, float32."""

    def __init__(self, network: YoloNetwork) -> None:
        self._network = network

    @torch.inference_mode()
    def __call__(self, pictures: Pixels) -> Pixels:
        return np.asarray(self._network(torch.from_numpy(pictures)).numpy())


class OpenVinoForward:
    """The serving runtime: OpenVINO on the CPU, float32, compiled once a picture size."""

    def __init__(self, network: YoloNetwork) -> None:
        example = torch.zeros(1, 2, 64, 64)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of the tracing that OpenVINO uses
            self._model = openvino.convert_model(network, example_input=example, input=[-1, 2, -1, -1])
        self._core = openvino.Core()
        self._compiled: dict[tuple[int, int], openvino.CompiledModel] = {}

    def __call__(self, pictures: Pixels) -> Pixels:
        size = (pictures.shape[2], pictures.shape[3])
        compiled = self._compiled.get(size) or self._compile(size)
        # A request of its own for each call: requests must not be shared between threads.
        return np.asarray(compiled.create_infer_request().infer(pictures)[0])

    def _compile(self, size: tuple[int, int]) -> openvino.CompiledModel:
        model = self._model.clone()
        model.reshape([-1, 2, *size])
        hints = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        compiled = self._core.compile_model(model, "CPU", hints)
        self._compiled[size] = compiled
        return compiled
