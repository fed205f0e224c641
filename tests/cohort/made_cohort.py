"""Small real studies as DICOM, and readings of them as the models would give them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from sqlalchemy.orm import Session

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.cohort.ingest import ingest
from spine_fracture.cohort.models import ReadMode
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.reads import ReadSubmission
from spine_fracture.cohort.studies import load_pair
from spine_fracture.dicom.orientation import sagittal_frame
from spine_fracture.dicom.write import PatientTags, assume_spacing, uid_from, write_series
from spine_fracture.geometry import PixelBox
from spine_fracture.imaging import Acquisition, Plane, Sequence, SpacingOrigin, Volume
from spine_fracture.levels import LevelReading, SliceBox, StudyReading, Uncertainty

SHAPE = (3, 96, 64)
TIMING = {
    Sequence.T1: Acquisition(
        repetition_time=550.0, echo_time=11.0, scanning_sequence=("SE",), field_strength=1.5
    ),
    Sequence.T2: Acquisition(
        repetition_time=3500.0, echo_time=105.0, scanning_sequence=("SE",), field_strength=1.5
    ),
    Sequence.T2_FAT_SAT: Acquisition(
        repetition_time=3500.0,
        echo_time=60.0,
        inversion_time=150.0,
        scanning_sequence=("SE", "IR"),
        field_strength=1.5,
    ),
}
SURE = Uncertainty(0.1, 0.2, 0.0, 0.05, 0.0, 0.1)


def series(sequence: Sequence, name: str, shape: tuple[int, int, int] = SHAPE) -> Volume:
    """A sagittal texture, millimetres assumed, the same for the same name."""
    rng = np.random.default_rng(list(name.encode()))
    plain = Volume(
        series_uid=uid_from("series", name, sequence),
        pixels=np.rint(rng.random(shape) * 900).astype(np.float32),
        frame=sagittal_frame(shape),
        sequence=sequence,
        plane=Plane.SAGITTAL,
        spacing_origin=SpacingOrigin.UNKNOWN,
        acquisition=TIMING[sequence],
    )
    return assume_spacing(plain, (1.0, 1.0, 4.0))


def write_study(
    folder: Path, patient_id: str, *, sequences: tuple[Sequence, ...] = (Sequence.T1, Sequence.T2)
) -> str:
    """A study under ``folder``, one file a slice; returns its UID."""
    study_uid = uid_from("study", patient_id)
    for number, sequence in enumerate(sequences, start=1):
        volume = series(sequence, patient_id)
        write_series(volume, PatientTags(patient_id, study_uid), folder / sequence, series_number=number)
    return study_uid


def ingested(project: Project, patient_id: str, folder: Path, centre: str = "Centre A") -> str:
    """The UID of a study that was written and taken in."""
    uid = write_study(folder / patient_id, patient_id)
    assert ingest(folder / patient_id, centre, project).added == (uid,)
    return uid


def reading(
    session: Session,
    study_uid: str,
    *,
    names: tuple[Level, ...] = (Level.L1, Level.L2, Level.L3),
    moved: float = 0.0,
    classifier: str = "classifier-1",
    malignant: float = 0.2,
) -> StudyReading:
    """Levels 25 px apart down the picture, with boxes on the middle slice of both series."""
    pair = load_pair(session, study_uid)
    levels = []
    for index, name in enumerate(names):
        box = PixelBox(20.0, 10.0 + 25 * index + moved, 44.0, 28.0 + 25 * index + moved)
        slices = tuple(
            SliceBox(volume.series_uid, 1, volume.slice_uids[1], box, 0.9)
            for volume in (pair.reference, pair.other)
            if volume is not None
        )
        levels.append(
            LevelReading(
                name=name,
                box=pair.reference.frame.box_to_patient(box, 0, 2),
                slices=slices,
                detection_score=0.9,
                detector_abnormal=0.1,
                numbering_sure=True,
                probabilities=(1 - malignant - 0.1, 0.05, malignant, 0.05),
                uncertainty=SURE,
                reasons=("T1 and T2 disagree",),
            )
        )
    return StudyReading(
        study_uid=study_uid,
        levels=tuple(levels),
        numbering_sure=True,
        notes=(),
        residual_px=0.4,
        registered=False,
        detector_version="detector-1",
        classifier_version=classifier,
    )


def answer(level_id: int, token: str = "t1", **changes: object) -> ReadSubmission:
    """A reader's plain answer, with ``changes``."""
    plain = ReadSubmission(
        level_id=level_id,
        reader="reader-1",
        mode=ReadMode.BLINDED,
        diagnosis=Diagnosis.MALIGNANT,
        features=frozenset(),
        confidence=4,
        seconds=31.5,
        token=token,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]
