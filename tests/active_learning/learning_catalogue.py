"""A catalogue with levels and predictions, made by hand: fast, and every number known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
from sqlalchemy.orm import Session

from spine_fracture.anatomy import Level
from spine_fracture.cohort.models import (
    Centre,
    FileKind,
    LevelSlice,
    LevelSource,
    Patient,
    Prediction,
    Role,
    Series,
    Study,
    StudyFolder,
    StudyLevel,
)
from spine_fracture.cohort.splits import Split, split_of
from spine_fracture.geometry import PatientBox, PixelBox
from spine_fracture.imaging import Plane, Sequence, SpacingOrigin
from spine_fracture.levels import Uncertainty

LEVELS = (Level.T11, Level.T12, Level.L1, Level.L2, Level.L3)


def keys(split: Split) -> Iterator[str]:
    """Patient keys that fall on this side of the split."""
    return (key for n in count() if split_of(key := f"phantom-{n:06d}") is split)


@dataclass
class Catalogue:
    """Adds patients to one session. ``doubt`` is the entropy of each level, head to foot."""

    session: Session

    def __post_init__(self) -> None:
        self.folder = StudyFolder(path="/studies")
        self.centres: dict[str, Centre] = {}
        self.keys = {split: keys(split) for split in Split}
        self.session.add(self.folder)

    def patient(
        self,
        split: Split,
        doubt: tuple[float, ...] = (0.5,) * len(LEVELS),
        centre: str = "north",
        probabilities: tuple[float, ...] = (0.1, 0.4, 0.4, 0.1),
        source: LevelSource = LevelSource.DETECTED,
    ) -> Study:
        """One patient with one study of T1 and T2 and a level for each number of ``doubt``."""
        place = self.centres.setdefault(centre, Centre(name=centre))
        patient = Patient(key=next(self.keys[split]), centre=place, split=split)
        study = Study(uid=f"1.2.{patient.key[-6:]}", patient=patient)
        for sequence, role in ((Sequence.T1, Role.T1), (Sequence.T2, Role.T2)):
            study.series.append(self._series(f"{study.uid}.{role.value[1]}", sequence, role))
        for name, entropy in zip(LEVELS, doubt, strict=False):
            study.levels.append(_level(study, name, entropy, probabilities, source))
        self.session.add(study)
        self.session.flush()
        return study

    def _series(self, uid: str, sequence: Sequence, role: Role) -> Series:
        return Series(
            uid=uid,
            folder=self.folder,
            kind=FileKind.DICOM,
            sequence=sequence,
            plane=Plane.SAGITTAL,
            spacing_origin=SpacingOrigin.MEASURED,
            slices=15,
            rows=256,
            columns=256,
            usable=True,
            role=role,
        )


def _level(
    study: Study, name: Level, entropy: float, probabilities: tuple[float, ...], source: LevelSource
) -> StudyLevel:
    top = 30.0 * name.order
    level = StudyLevel(
        name=name,
        box=PatientBox(np.array([0.0, 0.0, -top]), np.array([30.0, 25.0, 40.0]), np.eye(3)),
        numbering_sure=True,
        source=source,
    )
    for series in study.series:
        for index, score in ((6, 0.7), (7, 0.9), (8, 0.8)):
            box = PixelBox(100, top % 200, 130, top % 200 + 25)
            level.slices.append(
                LevelSlice(
                    series=series, slice_index=index, sop_uid=f"{series.uid}.{index}", box=box, score=score
                )
            )
    level.predictions.append(predicted(entropy, probabilities=probabilities))
    return level


def predicted(
    entropy: float,
    classifier: str = "classifier-1",
    probabilities: tuple[float, ...] = (0.1, 0.4, 0.4, 0.1),
) -> Prediction:
    return Prediction(
        detector_version="detector-1",
        classifier_version=classifier,
        probabilities=list(probabilities),
        uncertainty=Uncertainty(entropy, 0.0, 0.0, 0.0, 0.0, 0.0),
        reasons=["T1 and T2 disagree"] if entropy > 0.5 else [],
        detection_score=0.9,
        detector_abnormal=0.5,
    )
