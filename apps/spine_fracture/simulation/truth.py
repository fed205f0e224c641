"""What is known of a phantom study, as a file: for the simulated reader, never for ingest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from spine_fracture.anatomy import Diagnosis, Feature, Level, Primary
from spine_fracture.errors import InputError
from spine_fracture.files import write_atomically
from spine_fracture.geometry import PixelBox
from spine_fracture.imaging import Volume
from spine_fracture.simulation.plane import Mask
from spine_fracture.simulation.study import PhantomStudy


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BodyBox(_Frozen):
    """The box (x0, y0, x1, y1) in pixels of a body on one slice of one series; ``altered`` when the
    finding shows on this slice.
    """

    series_uid: str
    slice_index: int
    slice_uid: str
    box: tuple[float, float, float, float]
    altered: bool


class LevelTruthRecord(_Frozen):
    """One level: what it is, and where its body lies in every series."""

    level: Level
    diagnosis: Diagnosis
    features: tuple[Feature, ...]
    primary: Primary | None
    boxes: tuple[BodyBox, ...]


class StudyTruth(_Frozen):
    """The truth of one study."""

    patient_key: str
    study_uid: str
    centre: str
    field_strength: float
    primary_tumour: Primary | None
    levels: tuple[LevelTruthRecord, ...]


def truth_of(study: PhantomStudy, study_uid: str) -> StudyTruth:
    """The truth of ``study``, written into a study of that UID."""
    records = []
    for truth in study.truth:
        value = 1 + truth.level.order
        boxes: list[BodyBox] = []
        for volume, bodies, altered in zip(
            study.volumes, study.body_labels, study.altered_labels, strict=True
        ):
            boxes += _boxes(volume, bodies == value, altered == value)
        features = tuple(feature for feature in Feature if feature in truth.features)
        records.append(
            LevelTruthRecord(
                level=truth.level,
                diagnosis=truth.diagnosis,
                features=features,
                primary=truth.primary,
                boxes=tuple(boxes),
            )
        )
    return StudyTruth(
        patient_key=study.patient_key,
        study_uid=study_uid,
        centre=study.centre,
        field_strength=study.field_strength,
        primary_tumour=study.primary_tumour,
        levels=tuple(records),
    )


def write_truth(truth: StudyTruth, folder: Path) -> Path:
    """Write ``<folder>/<patient key>.json`` atomically."""
    path = folder / f"{truth.patient_key}.json"
    write_atomically(path, (truth.model_dump_json(indent=1) + "\n").encode())
    return path


def read_truth(folder: Path) -> tuple[StudyTruth, ...]:
    """All truths of a folder, by patient key; raises :class:`InputError` for a file that is not one."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(StudyTruth.model_validate_json(path.read_bytes()))
        except ValidationError as error:
            raise InputError(f"{path.name} is not the truth of a phantom: make the cohort again.") from error
    return tuple(found)


def _boxes(volume: Volume, body: Mask, altered: Mask) -> list[BodyBox]:
    boxes = []
    for k in np.flatnonzero(body.any(axis=(1, 2))):
        rows, columns = np.nonzero(body[k])
        box = PixelBox(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        boxes.append(
            BodyBox(
                series_uid=volume.series_uid,
                slice_index=int(k),
                slice_uid=volume.slice_uids[k],
                box=box.as_tuple(),
                altered=bool(altered[k].any()),
            )
        )
    return boxes
