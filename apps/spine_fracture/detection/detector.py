"""The vertebra detector: finds bodies in the slices of a pair, whatever family its network is of."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from spine_fracture.detection.candidates import Candidate
from spine_fracture.detection.finder import BoxFinder
from spine_fracture.detection.runtime import Runtime as Runtime
from spine_fracture.detection.tasks import DetectionTask
from spine_fracture.errors import InputError, ModelFileError
from spine_fracture.imaging import Pixels, Sequence


class VertebraDetector:
    """Finds vertebral bodies, S1 and C2 on every slice. Names come later, from their sequence.

    Safe to call from several threads.
    """

    def __init__(self, finder: BoxFinder) -> None:
        if finder.task is not DetectionTask.KINDS:
            raise ModelFileError(
                f"{finder.manifest.name} finds {', '.join(finder.task.classes)}: it is not a detector of "
                f"{', '.join(DetectionTask.KINDS.classes)}."
            )
        self.finder = finder

    @classmethod
    def load(cls, folder: Path, runtime: Runtime = "openvino") -> Self:
        """From a bundle; raises :class:`ModelFileError` if it is damaged or no vertebra detector."""
        return cls(BoxFinder.load(folder, runtime))

    @property
    def version(self) -> str:
        return self.finder.manifest.version

    @property
    def sequences(self) -> tuple[Sequence, ...]:
        """Those of T1 and T2 that it looks at."""
        return self.finder.sequences

    def detect(self, pixels: Pixels) -> tuple[Candidate, ...]:
        """All candidates of all slices, ``pixels`` (slices, 2, rows, columns) in [0, 1], T1 then T2.

        A missing sequence is a channel of zeros. Boxes are in pixels of the given pictures.
        """
        if pixels.ndim != 4 or pixels.shape[1] != 2:
            raise InputError(f"The detector reads (slices, 2, rows, columns), got {pixels.shape}.")
        return tuple(
            Candidate(found.slice_index, found.box, *found.scores) for found in self.finder.find(pixels)
        )
