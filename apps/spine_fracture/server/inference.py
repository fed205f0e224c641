"""The models that clients see, and what each answers: JSON, and a file that viewers show."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from spine_fracture.anatomy import MODEL_CLASSES, Feature, Level
from spine_fracture.classification.feature_regression import CLASSES as FRACTURE_CLASSES
from spine_fracture.errors import InputError, NotFoundError
from spine_fracture.imaging import Volume
from spine_fracture.levels import StudyReading
from spine_fracture.server.answers import Answer, StudyAnswer
from spine_fracture.server.labelmap import EXTENSIONS, SEGMENTS, present_segments, write_label_map
from spine_fracture.server.markups import to_markups
from spine_fracture.server.readings import StudyReader
from spine_fracture.server.studies import Catalogue, Study


class ModelName(StrEnum):
    DETECTION = "vertebra_detection"
    CLASSIFICATION = "fracture_classification"
    TWIN = "spine_segmentation_twin"
    RADIOGRAPHS = "radiograph_classification"
    FEATURES = "feature_regression"

    @property
    def reads_levels(self) -> bool:
        """Whether it answers about levels on sagittal T1 and T2."""
        return self in (ModelName.DETECTION, ModelName.CLASSIFICATION, ModelName.TWIN)

    @classmethod
    def parse(cls, text: str) -> ModelName:
        try:
            return cls(text)
        except ValueError:
            raise NotFoundError(f"There is no model {text!r}: use one of {', '.join(cls)}.") from None


@dataclass(frozen=True)
class ModelDescription:
    """What ``/info`` says of a model. ``kind`` is one of MONAI Label's infer types."""

    kind: str
    labels: tuple[str, ...] | dict[str, int]
    text: str
    config: dict[str, Any]
    dimension: int = 3


_OF_A_FRACTURE = tuple(map(str, FRACTURE_CLASSES))
DESCRIPTIONS: dict[ModelName, ModelDescription] = {
    ModelName.DETECTION: ModelDescription(
        "detection",
        tuple(Level),
        "Finds and names the vertebrae on sagittal T1 and T2; ROIs for Slicer. Not for clinical use.",
        {},
    ),
    ModelName.CLASSIFICATION: ModelDescription(
        "classification",
        tuple(MODEL_CLASSES),
        "Tells normal, benign fracture, malignant and hemangioma apart, by level. Not for clinical use.",
        {},
    ),
    ModelName.TWIN: ModelDescription(
        "segmentation",
        dict(SEGMENTS),
        "The boxes as a label map, a segment for each level and class, for viewers without boxes. "
        "Not for clinical use.",
        {"result_extension": list(EXTENSIONS)},
    ),
    ModelName.RADIOGRAPHS: ModelDescription(
        "classification",
        _OF_A_FRACTURE,
        "Tells malignant from benign fractures on AP and lateral radiographs (DX, CR). Not for clinical use.",
        {},
        dimension=2,
    ),
    ModelName.FEATURES: ModelDescription(
        "classification",
        _OF_A_FRACTURE,
        "Tells malignant from benign fractures by the imaging features that a reader names, with commas "
        f"between them: {', '.join(Feature)}. Not for clinical use.",
        # A list would come back whole, as if all of them had been seen.
        {"features": ""},
    ),
}


class InferOptions(BaseModel):
    """The request parameters that mean something here; all others are dropped."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    level: Level | None = None
    features: frozenset[Feature] | None = None
    result_extension: str = EXTENSIONS[0]
    result_compress: bool = True

    @field_validator("level", mode="before")
    @classmethod
    def _level(cls, value: object) -> object:
        return Level.parse(value) if isinstance(value, str) else value

    @field_validator("features", mode="before")
    @classmethod
    def _features(cls, value: object) -> object:
        words = value.split(",") if isinstance(value, str) else value
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise InputError("features is a list of words, or a text with commas between them.")
        return frozenset(Feature.parse(word) for word in words if word.strip())

    @field_validator("result_extension", mode="before")
    @classmethod
    def _extension(cls, value: object) -> object:
        """Clients send a dropdown back as the list it came from, the chosen one first."""
        chosen = value[0] if isinstance(value, list) and value else value
        if chosen not in EXTENSIONS:
            raise InputError(f"result_extension is one of {', '.join(EXTENSIONS)}.")
        return chosen

    @classmethod
    def of(cls, params: dict[str, Any]) -> InferOptions:
        try:
            return cls.model_validate(params)
        except ValidationError as error:
            names = ", ".join(str(e["loc"][0]) for e in error.errors())
            raise InputError(f"These parameters are not understood: {names}.") from None


@dataclass(frozen=True)
class ResultFile:
    """A file for the client: its name, whose suffix says the format, and its content."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class Inference:
    """What one model says of one study, or of its patient."""

    answer: Answer
    file: ResultFile


class ModelInference:
    """Answers requests for any of the models of levels from one reading of the study."""

    def __init__(self, catalogue: Catalogue, reader: StudyReader) -> None:
        self._catalogue = catalogue
        self._reader = reader

    def infer(
        self, model: ModelName, study: Study, options: InferOptions, series_uid: str | None = None
    ) -> Inference:
        """A label map is drawn on the series asked for, if the levels have boxes there, else on the image."""
        reading = _only(self._reader.read(study), options.level)
        answer = StudyAnswer.of(reading, study.image, present_segments(reading))
        return Inference(answer, self._file(model, study, reading, options, series_uid))

    def _file(
        self,
        model: ModelName,
        study: Study,
        reading: StudyReading,
        options: InferOptions,
        series_uid: str | None,
    ) -> ResultFile:
        if model is ModelName.TWIN:
            with_boxes = {part.series_uid for level in reading.levels for part in level.slices}
            series = series_uid if series_uid in with_boxes else None
            return _label_map(self._catalogue.picture(study, series), reading, options)
        return ResultFile("levels.mrk.json", "application/json", to_markups(reading))


def _only(reading: StudyReading, level: Level | None) -> StudyReading:
    """The reading, or the part of it about one level."""
    if level is None:
        return reading
    found = tuple(lv for lv in reading.levels if lv.name is level)
    if not found:
        names = ", ".join(lv.name for lv in reading.levels)
        raise NotFoundError(f"{level} was not found in this study, whose levels are {names}.")
    return replace(reading, levels=found)


def _label_map(volume: Volume, reading: StudyReading, options: InferOptions) -> ResultFile:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"levels{options.result_extension}"
        write_label_map(reading, volume.series_uid, volume.frame, path, compress=options.result_compress)
        return ResultFile(path.name, "application/octet-stream", path.read_bytes())
