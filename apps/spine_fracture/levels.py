"""What the models say of one study: its vertebral levels, and why each deserves a look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis, Level, most_probable
from spine_fracture.geometry import PatientBox, PixelBox

#: Slices whose detection scores differ by less show a vertebra equally well.
_AS_GOOD = 0.15


class ScoredSlice(Protocol):
    """A slice that shows a level, and the detector's score there."""

    @property
    def slice_index(self) -> int: ...
    @property
    def score(self) -> float: ...


S = TypeVar("S", bound=ScoredSlice)


def slice_to_open(slices: Sequence[S]) -> S:
    """Of one or more slices of a series the middle one of those on which the vertebra was found about best.

    The very best may be a lateral one by a hair, and reading begins at the middle of the body.
    """
    best = max(part.score for part in slices)
    good = sorted(
        (part for part in slices if part.score > best - _AS_GOOD), key=lambda part: part.slice_index
    )
    return good[(len(good) - 1) // 2]


@dataclass(frozen=True)
class SliceBox:
    """A level's box in pixels of one slice of one series. ``score`` is the detector's, in [0, 1]."""

    series_uid: str
    slice_index: int
    slice_uid: str
    box: PixelBox
    score: float


@dataclass(frozen=True)
class Uncertainty:
    """Why a level may teach the model something; every part lies in [0, 1], 1 being most unsure.

    ``entropy``: predictive entropy over log of the number of classes. ``sequence_disagreement``:
    T1 alone against T2 alone. ``detector_disagreement``: the detector's view of abnormality against
    the classifier's. ``detection``: one minus the detection score. ``numbering``: 1 when the
    numbering is unsure. ``augmentation``: spread over test-time augmentation.
    """

    entropy: float
    sequence_disagreement: float
    detector_disagreement: float
    detection: float
    numbering: float
    augmentation: float


@dataclass(frozen=True, eq=False)
class LevelReading:
    """One level of a study as the models see it.

    ``probabilities`` follows :data:`spine_fracture.anatomy.MODEL_CLASSES` and sums to 1.
    ``detector_abnormal`` is the detector's own probability that the vertebra is altered.
    """

    name: Level
    box: PatientBox
    slices: tuple[SliceBox, ...]
    detection_score: float
    detector_abnormal: float
    numbering_sure: bool
    probabilities: tuple[float, ...]
    uncertainty: Uncertainty
    reasons: tuple[str, ...]

    @property
    def key_slice(self) -> SliceBox:
        """The slice to open, of the series on which the level was found best."""
        best = max(self.slices, key=lambda s: s.score)
        return slice_to_open([part for part in self.slices if part.series_uid == best.series_uid])

    @property
    def most_probable(self) -> Diagnosis:
        return most_probable(self.probabilities)

    def probability(self, diagnosis: Diagnosis) -> float:
        return self.probabilities[MODEL_CLASSES.index(diagnosis)]


@dataclass(frozen=True, eq=False)
class StudyReading:
    """All levels of one study, head to foot, and what was doubtful about the study."""

    study_uid: str
    levels: tuple[LevelReading, ...]
    numbering_sure: bool
    notes: tuple[str, ...]
    residual_px: float | None
    registered: bool
    detector_version: str
    classifier_version: str
