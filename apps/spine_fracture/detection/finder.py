"""A trained detector of any family and task on the slices of a study."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self, get_args

from pydantic import ValidationError
from torch import nn

from spine_fracture.bundle import Manifest, read_bundle
from spine_fracture.detection.families import Architecture, FamilyName, build_network
from spine_fracture.detection.letterbox import Letterbox
from spine_fracture.detection.runtime import Forward, OpenVinoForward, Runtime, TorchForward
from spine_fracture.detection.tasks import DetectionTask, channels_of, sequences_of
from spine_fracture.errors import InputError, ModelFileError
from spine_fracture.geometry import PixelBox
from spine_fracture.imaging import Pixels, Sequence


@dataclass(frozen=True)
class Found:
    """A box on one slice, in pixels of the grid, with a score in [0, 1] for each class of the detector."""

    slice_index: int
    box: PixelBox
    scores: tuple[float, ...]


class BoxFinder:
    """Finds the boxes of its task on every slice. Safe to call from several threads."""

    def __init__(self, manifest: Manifest, network: nn.Module, runtime: Runtime = "openvino") -> None:
        """``network`` is that of ``manifest``, with its weights.

        One that OpenVINO cannot convert runs in PyTorch whatever ``runtime`` says.
        """
        self.manifest = manifest
        self.network = network.eval()
        self.task, self.architecture = described(manifest)
        self.channels = channels_of(self.architecture.sequences)
        converts = manifest.family == "yolo" and runtime == "openvino"
        self._forward: Forward = (
            OpenVinoForward(network, len(self.channels)) if converts else TorchForward(network)
        )

    @classmethod
    def load(cls, folder: Path, runtime: Runtime = "openvino") -> Self:
        """From a bundle; raises :class:`ModelFileError` if it is damaged or no detector of ours."""
        manifest, state = read_bundle(folder)
        task, architecture = described(manifest)
        try:
            network = build_network(manifest.family, architecture, len(task.classes))  # type: ignore[arg-type]
            network.load_state_dict(state)
        except InputError as error:
            raise ModelFileError(f"{manifest.name} cannot be built ({error}): train it again.") from error
        except RuntimeError as error:
            raise ModelFileError(
                f"The weights of {manifest.name} do not fit its architecture: train or install it again."
            ) from error
        return cls(manifest, network, runtime)

    @property
    def sequences(self) -> tuple[Sequence, ...]:
        """Those of T1 and T2 that it looks at."""
        return sequences_of(self.architecture.sequences)

    def find(self, pixels: Pixels, magnified: float = 1.0) -> tuple[Found, ...]:
        """All boxes of all slices, ``pixels`` (slices, 2 or more, rows, columns) in [0, 1], T1 then T2.

        A missing sequence is a channel of zeros. Slices are read in one batch. Boxes are in
        pixels of the given pictures, whatever size the network reads; ``magnified`` changes that size.
        """
        if pixels.ndim != 4 or pixels.shape[1] < 2:
            raise InputError(f"The detector reads (slices, 2, rows, columns), got {pixels.shape}.")
        letterbox = Letterbox(pixels.shape[2], pixels.shape[3], round(self.architecture.size * magnified))
        found = []
        given = pixels[:, self.channels[0] : self.channels[-1] + 1]
        read = self._forward(letterbox.place(given))
        for index, boxes in enumerate(read):
            for corners, scores in zip(boxes.corners.tolist(), boxes.scores.tolist(), strict=True):
                box = letterbox.back(*corners)
                if box is not None:
                    found.append(Found(index, box, tuple(scores)))
        return tuple(found)


def described(manifest: Manifest) -> tuple[DetectionTask, Architecture]:
    """What the detector of ``manifest`` is; raises :class:`ModelFileError` if it describes no detector."""
    task = next((task for task in DetectionTask if task.classes == manifest.classes), None)
    try:
        architecture = Architecture.model_validate(manifest.architecture)
    except ValidationError:
        architecture = None
    if task is None or architecture is None or manifest.family not in get_args(FamilyName):
        raise ModelFileError(
            f"{manifest.name} is a {manifest.family} model of {', '.join(manifest.classes)}, not a detector."
        )
    return task, architecture
