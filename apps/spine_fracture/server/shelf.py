"""Readings between requests and restarts: the predictions in the catalogue, given back as a reading."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from spine_fracture.cohort import models as rows
from spine_fracture.cohort.model_readings import keep_reading, outgrown
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.studies import note_refusal
from spine_fracture.files import write_atomically
from spine_fracture.levels import LevelReading, SliceBox, StudyReading
from spine_fracture.server.readings import ModelPair
from spine_fracture.server.studies import Study


class DatabaseShelf:
    """The readings of a project's catalogue, each marked with the files and models it came from."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._marks = project.settings.cache_folder / "readings"

    def find(self, study: Study, models: ModelPair) -> StudyReading | None:
        """What these models said of the study as it is now, if they did."""
        stored = self._stored(study, models)
        if stored is None:
            return None
        reading, moment = stored
        mark = self._mark(study)
        if mark.is_file():
            return reading if mark.read_text() == _sign(study, models) else None
        # Stored by a command, not by this server: it holds while no file is newer.
        return None if study.changed_since(moment) else reading

    def keep(self, study: Study, models: ModelPair, reading: StudyReading) -> None:
        """Unless the study has grown since it was found: then it waits for its next reading."""
        with self._project.transaction() as session:
            kept = keep_reading(session, reading, study.growth)
        if kept:
            write_atomically(self._mark(study), _sign(study, models).encode())

    def refuse(self, study: Study, why: str) -> None:
        with self._project.transaction() as session:
            note_refusal(session, study.uid, why)

    def _mark(self, study: Study) -> Path:
        return self._marks / hashlib.sha256(study.uid.encode()).hexdigest()[:32]

    def _stored(self, study: Study, models: ModelPair) -> tuple[StudyReading, datetime] | None:
        with self._project.session() as session:
            row = session.scalars(
                select(rows.Study)
                .where(rows.Study.uid == study.uid)
                .options(
                    selectinload(rows.Study.levels).options(
                        selectinload(rows.StudyLevel.predictions),
                        selectinload(rows.StudyLevel.slices).selectinload(rows.LevelSlice.series),
                    )
                )
            ).one()
            if outgrown(session, row, models.detector, models.classifier):
                return None
        said = {lv.id: p for lv in row.levels if (p := _prediction(lv, models)) is not None}
        current = [lv for lv in row.levels if lv.current and lv.source is not rows.LevelSource.REFERENCE]
        # What readers changed stays even where these models see no vertebra.
        if not said or any(lv.id not in said and lv.edited_by is None for lv in current):
            return None
        pairs = [(level, said[level.id]) for level in current if level.id in said]
        pairs.sort(key=lambda pair: pair[0].name.order)
        reading = StudyReading(
            study_uid=row.uid,
            levels=tuple(_level(*pair) for pair in pairs),
            numbering_sure=bool(row.numbering_sure),
            notes=tuple(row.notes),
            residual_px=row.residual_px,
            registered=bool(row.registered),
            detector_version=models.detector,
            classifier_version=models.classifier,
        )
        return reading, max(prediction.created for prediction in said.values())


def _sign(study: Study, models: ModelPair) -> str:
    return f"{study.fingerprint} {models.detector} {models.classifier}"


def _prediction(level: rows.StudyLevel, models: ModelPair) -> rows.Prediction | None:
    fitting = [
        p
        for p in level.predictions
        if (p.detector_version, p.classifier_version) == (models.detector, models.classifier)
    ]
    return fitting[-1] if fitting else None


def _level(level: rows.StudyLevel, prediction: rows.Prediction) -> LevelReading:
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
