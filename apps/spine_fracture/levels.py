"""What the models say of one study: its vertebral levels, and why each deserves a look."""

from __future__ import annotations

from dataclasses import dataclass

from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis, Level, most_probable
from spine_fracture.geometry import PatientBox, PixelBox


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
        """The slice to open: the one in the middle of the level's best detections."""
        return max(self.slices, key=lambda s: s.score)

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
