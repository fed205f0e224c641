"""Readings between requests and restarts: the predictions in the catalogue, given back as a reading."""

from __future__ import annotations

import hashlib
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from spine_fracture.cohort import models
from spine_fracture.cohort.levels import store_reading
from spine_fracture.cohort.project import Project
from spine_fracture.files import write_atomically
from spine_fracture.levels import LevelReading, SliceBox, StudyReading
from spine_fracture.server.studies import Study


class DatabaseShelf:
    """The readings of a project's catalogue, each marked with the files and models it came from."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._marks = project.settings.cache_folder / "readings"

    def find(self, study: Study, version: str) -> StudyReading | None:
        """What these models (``detector+classifier``) said of the study as it is now, if they did."""
        reading = self._stored(study, version)
        if reading is None:
            return None
        mark = self._mark(study)
        return reading if mark.is_file() and mark.read_text() == _sign(study, version) else None

    def keep(self, study: Study, version: str, reading: StudyReading) -> None:
        with self._project.transaction() as session:
            store_reading(session, reading)
        write_atomically(self._mark(study), _sign(study, version).encode())

    def _mark(self, study: Study) -> Path:
        return self._marks / hashlib.sha256(study.uid.encode()).hexdigest()[:32]

    def _stored(self, study: Study, version: str) -> StudyReading | None:
        with self._project.session() as session:
            row = session.scalars(
                select(models.Study)
                .where(models.Study.uid == study.uid)
                .options(
                    selectinload(models.Study.levels).options(
                        selectinload(models.StudyLevel.predictions),
                        selectinload(models.StudyLevel.slices).selectinload(models.LevelSlice.series),
                    )
                )
            ).one()
        detected = [
            level for level in row.levels if level.current and level.source is models.LevelSource.DETECTED
        ]
        pairs = [(level, p) for level in detected if (p := _prediction(level, version)) is not None]
        if not pairs or len(pairs) < len(detected):
            return None
        pairs.sort(key=lambda pair: pair[0].name.order)
        return StudyReading(
            study_uid=row.uid,
            levels=tuple(_level(*pair) for pair in pairs),
            numbering_sure=bool(row.numbering_sure),
            notes=tuple(row.notes),
            residual_px=row.residual_px,
            registered=bool(row.registered),
            detector_version=pairs[0][1].detector_version,
            classifier_version=pairs[0][1].classifier_version,
        )


def _sign(study: Study, version: str) -> str:
    return f"{study.fingerprint} {version}"


def _prediction(level: models.StudyLevel, version: str) -> models.Prediction | None:
    fitting = [p for p in level.predictions if f"{p.detector_version}+{p.classifier_version}" == version]
    return fitting[-1] if fitting else None


def _level(level: models.StudyLevel, prediction: models.Prediction) -> LevelReading:
    return LevelReading(
        name=level.name,
        box=level.box,
        slices=tuple(
            SliceBox(part.series.uid, part.slice_index, part.sop_uid, part.box, part.score)
            for part in level.slices
        ),
        detection_score=prediction.detection_score,
        detector_abnormal=prediction.detector_abnormal,
        numbering_sure=level.numbering_sure,
        probabilities=tuple(prediction.probabilities),
        uncertainty=prediction.uncertainty,
        reasons=tuple(prediction.reasons),
    )
