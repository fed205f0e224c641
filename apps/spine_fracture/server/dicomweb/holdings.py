"""What a project holds without an archive: the catalogue's series, and the reports kept beside them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from sqlalchemy import select
from sqlalchemy.orm import joinedload, selectinload

from spine_fracture.cohort import models
from spine_fracture.cohort.models import FileKind
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.studies import read_volume
from spine_fracture.dicom.header import reading_dicom
from spine_fracture.dicom.write import PatientTags, assume_spacing, write_series
from spine_fracture.errors import StorageError, UnreadablePictureError
from spine_fracture.imaging import SpacingOrigin


@dataclass(frozen=True)
class HeldSeries:
    """One series as DICOM files by SOP instance UID; ``is_report`` for structured reports."""

    uid: str
    files: Mapping[str, Path]
    is_report: bool = False


@dataclass(frozen=True)
class HeldFile:
    """One DICOM file, and the key of its patient."""

    path: Path
    patient: str
    is_report: bool = False


@dataclass(frozen=True)
class HeldStudy:
    """``patient`` is the pseudonymous key."""

    uid: str
    patient: str
    series: tuple[HeldSeries, ...]


@dataclass(frozen=True)
class _ReportHead:
    study: str
    series: str
    sop: str


@dataclass(eq=False)
class Holdings:
    """Studies of a project as DICOM files. Safe to use from several threads."""

    project: Project
    _heads: dict[tuple[Path, int], _ReportHead | None] = field(default_factory=dict)

    @property
    def reports_folder(self) -> Path:
        return self.project.settings.results_folder / "reports"

    def studies(self) -> list[tuple[str, str]]:
        """(study UID, patient key) of every study, the newest first."""
        query = (
            select(models.Study.uid, models.Patient.key)
            .join(models.Patient)
            .order_by(models.Study.created.desc(), models.Study.uid)
        )
        with self.project.session() as session:
            return [(uid, key) for uid, key in session.execute(query)]

    def study(self, uid: str) -> HeldStudy | None:
        """The study with all its series; None when there is none."""
        series = selectinload(models.Study.series)
        query = (
            select(models.Study)
            .where(models.Study.uid == uid)
            .options(
                joinedload(models.Study.patient),
                series.selectinload(models.Series.instances),
                series.joinedload(models.Series.folder),
            )
        )
        with self.project.session() as session:
            row = session.scalar(query)
            if row is None:
                return None
            pictures = [self._held(series, row) for series in row.series]
        return HeldStudy(row.uid, row.patient.key, (*pictures, *self._reports(uid)))

    def series(self, study_uid: str, series_uid: str) -> tuple[HeldSeries, str] | None:
        """The series, and the key of its patient; None when there is none."""
        query = (
            select(models.Series)
            .join(models.Study)
            .where(models.Series.uid == series_uid, models.Study.uid == study_uid)
            .options(
                selectinload(models.Series.instances),
                joinedload(models.Series.folder),
                joinedload(models.Series.study).joinedload(models.Study.patient),
            )
        )
        with self.project.session() as session:
            row = session.scalar(query)
            if row is not None:
                return self._held(row, row.study), row.study.patient.key
            patient = session.scalar(
                select(models.Patient.key).join(models.Study).where(models.Study.uid == study_uid)
            )
        if patient is None:
            return None
        return next(((s, patient) for s in self._reports(study_uid) if s.uid == series_uid), None)

    def file(self, study_uid: str, series_uid: str, sop_uid: str) -> HeldFile | None:
        """One instance; None when there is none. Asked for each picture, so that it looks up no more."""
        query = (
            select(models.StudyFolder.path, models.Instance.path, models.Patient.key)
            .select_from(models.Instance)
            .join(models.Series, models.Instance.series_id == models.Series.id)
            .join(models.StudyFolder, models.Series.folder_id == models.StudyFolder.id)
            .join(models.Study, models.Series.study_id == models.Study.id)
            .join(models.Patient, models.Study.patient_id == models.Patient.id)
            .where(
                models.Instance.sop_uid == sop_uid,
                models.Series.uid == series_uid,
                models.Series.kind.in_([kind for kind in FileKind if kind.is_dicom]),
                models.Study.uid == study_uid,
            )
        )
        with self.project.session() as session:
            row = session.execute(query).first()
        if row is not None:
            folder, path, patient = row
            return HeldFile(Path(folder) / path, patient)
        found = self.series(study_uid, series_uid)
        if found is None or sop_uid not in found[0].files:
            return None
        return HeldFile(found[0].files[sop_uid], found[1], found[0].is_report)

    def _held(self, series: models.Series, study: models.Study) -> HeldSeries:
        if series.kind.is_dicom:
            folder = Path(series.folder.path)
            return HeldSeries(series.uid, {i.sop_uid: folder / i.path for i in series.instances})
        copy = self.project.settings.cache_folder / "viewer" / series.uid
        if not copy.is_dir():
            _write_copy(series, PatientTags(study.patient.key, study.uid), copy)
        return HeldSeries(series.uid, {path.stem: path for path in sorted(copy.glob("*.dcm"))})

    def _reports(self, study_uid: str) -> Iterator[HeldSeries]:
        found: dict[str, dict[str, Path]] = {}
        # Both that write there, who stores through us and our own outbox, keep a folder for each study.
        for path in sorted((self.reports_folder / study_uid).glob("*.dcm")):
            head = self._head(path)
            if head is not None and head.study == study_uid:
                found.setdefault(head.series, {})[head.sop] = path
        return (HeldSeries(uid, files, is_report=True) for uid, files in found.items())

    def _head(self, path: Path) -> _ReportHead | None:
        try:
            key = (path, path.stat().st_mtime_ns)
            if key not in self._heads:
                self._heads[key] = _read_head(path)
        except OSError:  # taken away meanwhile
            return None
        return self._heads[key]


def _read_head(path: Path) -> _ReportHead | None:
    wanted = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]
    data = path.read_bytes()  # what the disk refuses now it may give later
    try:
        with reading_dicom():
            header = dcmread(BytesIO(data), specific_tags=wanted)
            return _ReportHead(*(str(header[name].value) for name in wanted))
    except UnreadablePictureError:
        return None


def _write_copy(series: models.Series, patient: PatientTags, folder: Path) -> None:
    """The DICOM of a series that is stored in another format; the folder appears whole."""
    volume = read_volume(series)
    if volume.spacing_origin is SpacingOrigin.UNKNOWN:
        volume = assume_spacing(volume, (1.0, 1.0, 1.0))
    number = 1 + [one.uid for one in series.study.series].index(series.uid)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".writing-") as temporary:
            copy = Path(temporary) / "series"
            write_series(volume, patient, copy, series_number=number)
            if folder.is_dir():  # another thread was quicker; the copies are the same
                shutil.rmtree(copy)
            else:
                copy.replace(folder)
    except OSError as error:
        raise StorageError(
            f"A series could not be prepared for the viewer: {error.strerror}. Free some space in the "
            "project folder."
        ) from error
