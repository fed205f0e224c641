"""What ``/infer`` answers in JSON, for clients of any kind: the levels of a study, or one fracture."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis, Feature, Level
from spine_fracture.classification.feature_regression import CLASSES
from spine_fracture.geometry import PatientBox
from spine_fracture.levels import LevelReading, SliceBox, StudyReading, Uncertainty
from spine_fracture.radiography import View

if TYPE_CHECKING:
    from spine_fracture.classification.radiograph import RadiographOpinion

NOTICE = "Not for clinical use."


class Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class BoxAnswer(Answer):
    """A box in space: LPS millimetres; ``axes`` is row-major, its columns the axes of the box."""

    centre: tuple[float, ...]
    size: tuple[float, ...]
    axes: tuple[float, ...]

    @classmethod
    def of(cls, box: PatientBox) -> BoxAnswer:
        return cls(
            centre=tuple(box.centre.tolist()),
            size=tuple(box.size.tolist()),
            axes=tuple(box.axes.ravel().tolist()),
        )


class SliceAnswer(Answer):
    """A level's box on one slice: ``box`` is x0, y0, x1, y1 in pixels, the first pixel covering [0, 1]."""

    series: str
    slice: int
    sop_instance: str
    box: tuple[float, float, float, float]
    score: float


class UncertaintyAnswer(Answer):
    entropy: float
    sequence_disagreement: float
    detector_disagreement: float
    detection: float
    numbering: float
    augmentation: float

    @classmethod
    def of(cls, uncertainty: Uncertainty) -> UncertaintyAnswer:
        return cls.model_validate(uncertainty, from_attributes=True)


class LevelAnswer(Answer):
    """One level, named; ``label`` is the most probable class."""

    level: Level
    label: Diagnosis
    probabilities: dict[Diagnosis, float]
    box: BoxAnswer
    slices: tuple[SliceAnswer, ...]
    key_slice: SliceAnswer
    detection_score: float
    detector_abnormal: float
    numbering_sure: bool
    uncertainty: UncertaintyAnswer
    reasons: tuple[str, ...]

    @classmethod
    def of(cls, level: LevelReading) -> LevelAnswer:
        return cls(
            level=level.name,
            label=level.most_probable,
            probabilities=dict(zip(MODEL_CLASSES, level.probabilities, strict=True)),
            box=BoxAnswer.of(level.box),
            slices=tuple(_slice(s) for s in level.slices),
            key_slice=_slice(level.key_slice),
            detection_score=level.detection_score,
            detector_abnormal=level.detector_abnormal,
            numbering_sure=level.numbering_sure,
            uncertainty=UncertaintyAnswer.of(level.uncertainty),
            reasons=level.reasons,
        )


class StudyAnswer(Answer):
    """All levels of a study, head to foot, and what was doubtful about it."""

    notice: str = NOTICE
    study: str
    image: str
    levels: tuple[LevelAnswer, ...]
    numbering_sure: bool
    notes: tuple[str, ...]
    residual_px: float | None
    registered: bool
    detector_version: str
    classifier_version: str
    label_names: dict[str, int]

    @classmethod
    def of(cls, reading: StudyReading, image: str, label_names: dict[str, int]) -> StudyAnswer:
        return cls(
            study=reading.study_uid,
            image=image,
            levels=tuple(LevelAnswer.of(level) for level in reading.levels),
            numbering_sure=reading.numbering_sure,
            notes=reading.notes,
            residual_px=reading.residual_px,
            registered=reading.registered,
            detector_version=reading.detector_version,
            classifier_version=reading.classifier_version,
            label_names=label_names,
        )


class FractureAnswer(Answer):
    """Malignant or benign, given that there is a fracture; ``label`` is the more probable class."""

    notice: str = NOTICE
    study: str
    image: str
    label: Diagnosis
    probabilities: dict[Diagnosis, float]
    model_version: str


class RadiographAnswer(FractureAnswer):
    """``views`` are those that were read; ``alone`` what members that read one view say of it by itself."""

    views: tuple[View, ...]
    alone: dict[View, dict[Diagnosis, float]]
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls,
        study: str,
        image: str,
        version: str,
        opinion: RadiographOpinion,
        views: Iterable[View],
        notes: tuple[str, ...],
    ) -> RadiographAnswer:
        return cls(
            study=study,
            image=image,
            label=_label(opinion.malignant),
            probabilities=dict(zip(CLASSES, opinion.probabilities, strict=True)),
            model_version=version,
            views=tuple(view for view in View if view in views),
            alone={view: dict(zip(CLASSES, said, strict=True)) for view, said in opinion.views.items()},
            notes=notes,
        )


class FeatureAnswer(FractureAnswer):
    """``features`` are those that were named, as in :class:`~spine_fracture.anatomy.Feature`."""

    features: tuple[Feature, ...]

    @classmethod
    def of(
        cls, study: str, image: str, version: str, features: frozenset[Feature], malignant: float
    ) -> FeatureAnswer:
        return cls(
            study=study,
            image=image,
            label=_label(malignant),
            probabilities=dict(zip(CLASSES, (1 - malignant, malignant), strict=True)),
            model_version=version,
            features=tuple(feature for feature in Feature if feature in features),
        )


def _label(malignant: float) -> Diagnosis:
    return Diagnosis.MALIGNANT if malignant > 0.5 else Diagnosis.BENIGN_FRACTURE


def _slice(box: SliceBox) -> SliceAnswer:
    return SliceAnswer(
        series=box.series_uid,
        slice=box.slice_index,
        sop_instance=box.slice_uid,
        box=box.box.as_tuple(),
        score=box.score,
    )
