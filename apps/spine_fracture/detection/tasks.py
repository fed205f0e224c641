"""What a detector's boxes are called: kinds of body, from which levels are named, or lesions."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from spine_fracture.anatomy import Diagnosis
from spine_fracture.imaging import CHANNELS, Sequence

#: Outputs of a detector of vertebrae, in this order: kinds of vertebra, not names of levels.
KINDS: tuple[str, ...] = ("vertebra", "abnormal", "sacrum", "axis")
#: What is given to a detector: both sequences as channels, T1 first, or one of them.
Sequences = Literal["T1+T2", "T1", "T2"]
_CHANNELS: dict[Sequences, tuple[int, ...]] = {"T1+T2": (0, 1), "T1": (0,), "T2": (1,)}


class DetectionTask(StrEnum):
    """``kinds`` of vertebral bodies, whose names come from counting; ``lesions``, a body without one being
    background; or ``lesions_and_normal``, where bodies without one are a class of their own.
    """

    KINDS = "kinds"
    LESIONS = "lesions"
    LESIONS_AND_NORMAL = "lesions_and_normal"

    @property
    def classes(self) -> tuple[str, ...]:
        """The detector's classes in the order of its scores."""
        return _CLASSES[self]


_LESIONS = (str(Diagnosis.BENIGN_FRACTURE), str(Diagnosis.MALIGNANT))
_CLASSES: dict[DetectionTask, tuple[str, ...]] = {
    DetectionTask.KINDS: KINDS,
    DetectionTask.LESIONS: _LESIONS,
    DetectionTask.LESIONS_AND_NORMAL: (str(Diagnosis.NORMAL), *_LESIONS),
}


def channels_of(sequences: Sequences) -> tuple[int, ...]:
    """Which channels of a pair (T1 is 0, T2 is 1) a detector of these sequences reads."""
    return _CHANNELS[sequences]


def sequences_of(sequences: Sequences) -> tuple[Sequence, ...]:
    """The sequences that a detector of these reads."""
    return tuple(CHANNELS[at] for at in channels_of(sequences))
