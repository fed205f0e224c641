"""Small T1/T2 studies on disk and a quick pipeline that reads them: what the server's tests share."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from spine_fracture.anatomy import Level
from spine_fracture.dicom.write import PatientTags, uid_from, write_series
from spine_fracture.geometry import PixelBox, VolumeFrame
from spine_fracture.imaging import Acquisition, PairedStack, Plane, Sequence, SpacingOrigin, Volume
from spine_fracture.levels import LevelReading, SliceBox, StudyReading, Uncertainty
from spine_fracture.server.readings import ModelPair

SHAPE = (5, 96, 64)
LEVELS = (Level.L1, Level.L2, Level.L3, Level.L4, Level.L5)
PROBABILITIES = (
    (0.9, 0.05, 0.03, 0.02),
    (0.1, 0.7, 0.15, 0.05),
    (0.05, 0.25, 0.65, 0.05),
    (0.2, 0.1, 0.1, 0.6),
    (0.4, 0.3, 0.2, 0.1),
)
#: Sagittal, 4 mm apart, slightly oblique so that axes matter.
_ANGLE = np.deg2rad(7.0)
_TURN = np.array([[np.cos(_ANGLE), -np.sin(_ANGLE), 0], [np.sin(_ANGLE), np.cos(_ANGLE), 0], [0, 0, 1]])
_LINEAR = _TURN @ np.array([[0, 0, 4.0], [1.5, 0, 0], [0, -1.5, 0]])


def frame() -> VolumeFrame:
    matrix = np.eye(4)
    matrix[:3, :3] = _LINEAR
    matrix[:3, 3] = (-10.0, -48.0, 72.0)
    return VolumeFrame(matrix, SHAPE)


def volume(patient_key: str, sequence: Sequence) -> Volume:
    """Bright blocks where :func:`boxes` says the bodies are, on textured ground."""
    rng = np.random.default_rng(abs(hash((patient_key, sequence))) % 2**32)
    pixels = rng.integers(20, 60, SHAPE).astype(np.float32)
    for box in boxes():
        x0, y0, x1, y1 = (int(v) for v in box.as_tuple())
        pixels[:, y0:y1, x0:x1] += 200
    times = (500.0, 12.0) if sequence is Sequence.T1 else (3500.0, 100.0)
    return Volume(
        series_uid=uid_from(patient_key, sequence),
        pixels=pixels,
        frame=frame(),
        sequence=sequence,
        plane=Plane.SAGITTAL,
        spacing_origin=SpacingOrigin.MEASURED,
        acquisition=Acquisition(
            repetition_time=times[0],
            echo_time=times[1],
            flip_angle=150.0,
            field_strength=1.5,
            scanning_sequence=("SE",),
            description=f"sag {sequence}",
            body_part="LSPINE",
        ),
    )


def boxes() -> tuple[PixelBox, ...]:
    return tuple(PixelBox(20, 4 + 18 * i, 44, 18 + 18 * i) for i in range(len(LEVELS)))


def study_uid(patient_key: str) -> str:
    return uid_from(patient_key, "study")


def image_id(patient_key: str, sequence: Sequence = Sequence.T2) -> str:
    return uid_from(patient_key, sequence)


def write_study(
    folder: Path, patient_key: str, sequences: tuple[Sequence, ...] = (Sequence.T1, Sequence.T2)
) -> list[Path]:
    tags = PatientTags(patient_key, study_uid(patient_key))
    return [
        path
        for number, sequence in enumerate(sequences, start=1)
        for path in write_series(
            volume(patient_key, sequence), tags, folder / patient_key, series_number=number
        )
    ]


@dataclass(eq=False)
class QuickPipeline:
    """Stands where the networks stand: names the bright blocks, at once, and counts its calls."""

    models: ModelPair = field(default_factory=lambda: ModelPair("quick-1", "quick-1"))
    calls: list[str] = field(default_factory=list)
    further: tuple[Sequence, ...] = ()

    def read(self, pair: PairedStack, study_uid: str) -> StudyReading:
        self.calls.append(study_uid)
        return reading(pair.reference, study_uid)


def reading(on: Volume, study_uid: str) -> StudyReading:
    levels = tuple(
        LevelReading(
            name=name,
            box=on.frame.box_to_patient(box, 1, 3),
            slices=tuple(
                SliceBox(on.series_uid, index, on.slice_uids[index] if on.slice_uids else "", box, 0.9)
                for index in (1, 2, 3)
            ),
            detection_score=0.9,
            detector_abnormal=0.2,
            numbering_sure=True,
            probabilities=probabilities,
            uncertainty=Uncertainty(0.3, 0.1, 0.2, 0.1, 0.0, 0.05),
            reasons=("T1 and T2 disagree",),
        )
        for name, box, probabilities in zip(LEVELS, boxes(), PROBABILITIES, strict=True)
    )
    return StudyReading(study_uid, levels, True, ("a note",), 0.2, False, "quick-1", "quick-1")
