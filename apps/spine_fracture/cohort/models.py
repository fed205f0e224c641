"""The tables of studies, levels and reads. Nothing in them identifies a person: a patient is a pseudonym."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from spine_fracture.anatomy import Basis, Diagnosis, Feature, Level, Primary
from spine_fracture.cohort.base import Base
from spine_fracture.cohort.columns import now
from spine_fracture.cohort.splits import Split
from spine_fracture.cohort.states import ReadState
from spine_fracture.dicom.demographics import Sex
from spine_fracture.geometry import PatientBox, PixelBox
from spine_fracture.imaging import Plane, Sequence, SpacingOrigin
from spine_fracture.levels import Uncertainty


class FileKind(StrEnum):
    """What a series is stored in; ``DICOM`` is MR, ``RADIOGRAPH`` is DICOM of DX or CR."""

    DICOM = "dicom"
    RADIOGRAPH = "radiograph"
    NIFTI = "nifti"
    PICTURE = "picture"

    @property
    def is_dicom(self) -> bool:
        return self in (FileKind.DICOM, FileKind.RADIOGRAPH)


class Role(StrEnum):
    """Which half of the pair that the models read a series is."""

    T1 = "t1"
    T2 = "t2"


class LevelSource(StrEnum):
    """Who outlined a level: the detector, a reference given with the data, or a reader."""

    DETECTED = "detected"
    REFERENCE = "reference"
    READER = "reader"


class ReadMode(StrEnum):
    """``BLINDED``: the reader saw no model output."""

    ASSISTED = "assisted"
    BLINDED = "blinded"


class Centre(Base):
    __tablename__ = "centre"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)


class Patient(Base):
    """``split`` is set from the key when the row is made and never changed. ``primary_tumour`` and, where the
    pictures do not state it, ``sex`` come from the centre's own list.
    """

    __tablename__ = "patient"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    centre_id: Mapped[int] = mapped_column(ForeignKey("centre.id"), index=True)
    split: Mapped[Split]
    sex: Mapped[Sex | None]
    primary_tumour: Mapped[Primary | None]
    field_strength: Mapped[float | None]
    created: Mapped[datetime] = mapped_column(default=now)

    centre: Mapped[Centre] = relationship()
    studies: Mapped[list[Study]] = relationship(back_populates="patient")


class StudyFolder(Base):
    """A folder that studies were taken in from; it is read, never written."""

    __tablename__ = "study_folder"
    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(String(1000), unique=True)


class Study(Base):
    """``age`` is the patient's, in years. ``residual_px``, ``registered`` and ``notes`` are filled when the
    models have read the study.
    """

    __tablename__ = "study"
    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(String(64), unique=True)
    patient_id: Mapped[int] = mapped_column(ForeignKey("patient.id"), index=True)
    created: Mapped[datetime] = mapped_column(default=now)
    age: Mapped[int | None]
    residual_px: Mapped[float | None]
    registered: Mapped[bool | None]
    numbering_sure: Mapped[bool | None]
    notes: Mapped[list[str]] = mapped_column(default=list)

    patient: Mapped[Patient] = relationship(back_populates="studies")
    series: Mapped[list[Series]] = relationship(back_populates="study", order_by="Series.id")
    levels: Mapped[list[StudyLevel]] = relationship(back_populates="study", order_by="StudyLevel.id")
    findings: Mapped[list[NotedFinding]] = relationship(order_by="NotedFinding.id")


class Series(Base):
    """One series; ``role`` is set on the two that are read as the pair. Times in ms, field in tesla."""

    __tablename__ = "series"
    id: Mapped[int] = mapped_column(primary_key=True)
    uid: Mapped[str] = mapped_column(String(64), unique=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"), index=True)
    folder_id: Mapped[int] = mapped_column(ForeignKey("study_folder.id"))
    kind: Mapped[FileKind]
    sequence: Mapped[Sequence]
    plane: Mapped[Plane]
    spacing_origin: Mapped[SpacingOrigin]
    slices: Mapped[int]
    rows: Mapped[int]
    columns: Mapped[int]
    repetition_time: Mapped[float | None]
    echo_time: Mapped[float | None]
    inversion_time: Mapped[float | None]
    field_strength: Mapped[float | None]
    usable: Mapped[bool]
    reason: Mapped[str] = mapped_column(String(300), default="")
    role: Mapped[Role | None]

    study: Mapped[Study] = relationship(back_populates="series")
    folder: Mapped[StudyFolder] = relationship()
    instances: Mapped[list[Instance]] = relationship(back_populates="series", order_by="Instance.id")


class Instance(Base):
    """One file; ``path`` is relative to the study folder of its series."""

    __tablename__ = "instance"
    id: Mapped[int] = mapped_column(primary_key=True)
    sop_uid: Mapped[str] = mapped_column(String(64), unique=True)
    series_id: Mapped[int] = mapped_column(ForeignKey("series.id"), index=True)
    path: Mapped[str] = mapped_column(String(1000))

    series: Mapped[Series] = relationship(back_populates="instances")


class Refused(Base):
    """What of a study folder cannot be used. The path is a digest: file names may name a patient."""

    __tablename__ = "refused"
    __table_args__ = (UniqueConstraint("centre_id", "folder_id", "path_digest"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    centre_id: Mapped[int] = mapped_column(ForeignKey("centre.id"), index=True)
    folder_id: Mapped[int] = mapped_column(ForeignKey("study_folder.id"))
    path_digest: Mapped[str] = mapped_column(String(64))
    reason: Mapped[str] = mapped_column(String(500))


class NotedFinding(Base):
    """A category read from a report by keyword. The report itself is not stored."""

    __tablename__ = "noted_finding"
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"), index=True)
    kind: Mapped[str] = mapped_column(String(64))
    level_text: Mapped[str] = mapped_column(String(64))
    wording: Mapped[str] = mapped_column(String(200))


class StudyLevel(Base):
    """One vertebra of one study.

    ``version`` grows when its name or boxes change, so that a reader who saw the old ones is told.
    ``current`` is false for a level that the last reading of the study no longer found, or that a
    reader removed. ``edited_by`` is the reader who last drew, removed or renamed it: what a reader
    did, no later reading by the models undoes.
    """

    __tablename__ = "level"
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"), index=True)
    name: Mapped[Level]
    box: Mapped[PatientBox]
    numbering_sure: Mapped[bool]
    source: Mapped[LevelSource]
    current: Mapped[bool] = mapped_column(default=True)
    version: Mapped[int] = mapped_column(default=1)
    edited_by: Mapped[str | None] = mapped_column(String(64))

    study: Mapped[Study] = relationship(back_populates="levels")
    slices: Mapped[list[LevelSlice]] = relationship(
        back_populates="level", order_by="LevelSlice.id", cascade="all, delete-orphan"
    )
    predictions: Mapped[list[Prediction]] = relationship(back_populates="level", order_by="Prediction.id")
    reads: Mapped[list[Read]] = relationship(back_populates="level", order_by="Read.id")


class LevelSlice(Base):
    """The level's box on one slice of one series."""

    __tablename__ = "level_slice"
    __table_args__ = (UniqueConstraint("level_id", "series_id", "slice_index"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    level_id: Mapped[int] = mapped_column(ForeignKey("level.id"), index=True)
    series_id: Mapped[int] = mapped_column(ForeignKey("series.id"))
    slice_index: Mapped[int]
    sop_uid: Mapped[str] = mapped_column(String(64))
    box: Mapped[PixelBox]
    score: Mapped[float]

    level: Mapped[StudyLevel] = relationship(back_populates="slices")
    series: Mapped[Series] = relationship()


class Prediction(Base):
    """What one pair of models said of a level; probabilities follow MODEL_CLASSES."""

    __tablename__ = "prediction"
    id: Mapped[int] = mapped_column(primary_key=True)
    level_id: Mapped[int] = mapped_column(ForeignKey("level.id"), index=True)
    detector_version: Mapped[str] = mapped_column(String(100))
    classifier_version: Mapped[str] = mapped_column(String(100))
    probabilities: Mapped[list[float]]
    uncertainty: Mapped[Uncertainty]
    reasons: Mapped[list[str]]
    detection_score: Mapped[float]
    detector_abnormal: Mapped[float]
    created: Mapped[datetime] = mapped_column(default=now)

    level: Mapped[StudyLevel] = relationship(back_populates="predictions")


class Read(Base):
    """One reader's answer for one level.

    ``token`` is the client's own, so that sending twice stores once. ``replaces_id`` is the reader's
    earlier read that this one superseded.
    """

    __tablename__ = "read"
    __table_args__ = (UniqueConstraint("reader", "token"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    level_id: Mapped[int] = mapped_column(ForeignKey("level.id"), index=True)
    reader: Mapped[str] = mapped_column(String(64))
    token: Mapped[str] = mapped_column(String(64))
    mode: Mapped[ReadMode]
    state: Mapped[ReadState]
    name_given: Mapped[Level]
    diagnosis: Mapped[Diagnosis]
    feature_words: Mapped[list[str]] = mapped_column("features")
    confidence: Mapped[int]
    seconds: Mapped[float]
    basis: Mapped[Basis] = mapped_column(default=Basis.IMAGING)
    note: Mapped[str] = mapped_column(String(2000), default="")
    series_id: Mapped[int | None] = mapped_column(ForeignKey("series.id"))
    sop_uid: Mapped[str] = mapped_column(String(64), default="")
    slice_index: Mapped[int | None]
    box: Mapped[PixelBox | None]
    replaces_id: Mapped[int | None] = mapped_column(ForeignKey("read.id"))
    created: Mapped[datetime] = mapped_column(default=now)

    level: Mapped[StudyLevel] = relationship(back_populates="reads")
    series: Mapped[Series | None] = relationship()

    @property
    def features(self) -> frozenset[Feature]:
        return frozenset(Feature(name) for name in self.feature_words)
