"""A project with small studies that the models have read, and reports on them, without a server."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from dicom.made_series import change
from pydicom.dataset import FileDataset
from pydicom.valuerep import format_number_as_ds
from server.studies import LEVELS, boxes, reading, study_uid, write_study
from sqlalchemy import select, update

from spine_fracture.anatomy import Basis, Diagnosis, Level
from spine_fracture.cohort.ingest import ingest
from spine_fracture.cohort.levels import store_reading
from spine_fracture.cohort.models import Read, ReadMode, StudyFolder
from spine_fracture.cohort.project import Project, open_project
from spine_fracture.cohort.protocol import ProtocolConfig
from spine_fracture.cohort.reads import ReadSubmission, submit_read, withdraw_read
from spine_fracture.cohort.records import ModelVersion
from spine_fracture.cohort.reports import ReceivedReport, Report
from spine_fracture.cohort.states import ModelStatus
from spine_fracture.cohort.studies import find_study, load_pair
from spine_fracture.dicom.sr.images import open_images
from spine_fracture.dicom.sr.reading import read_report
from spine_fracture.dicom.sr.statements import Form, Reader, Region, Statement, StudyReport
from spine_fracture.dicom.sr.writing import write_report
from spine_fracture.dicom.write import uid_from
from spine_fracture.geometry import PixelBox
from spine_fracture.server.reports import arrivals
from spine_fracture.server.reports.authors import Kind
from spine_fracture.server.reports.delivery import FolderDelivery
from spine_fracture.server.reports.intake import Intake
from spine_fracture.server.reports.outbox import queue_reports
from spine_fracture.server.reports.sending import Sender

SINGLE = ProtocolConfig(name="single")
DOUBLE = ProtocolConfig(name="double", reads_per_level=2)
TRAIN = "phantom-000001"


@dataclass(eq=False)
class Desk:
    """``files`` of the study, slices of T1 then of T2."""

    project: Project
    patient: str
    files: Sequence[Path]
    protocol: ProtocolConfig = SINGLE
    _tokens: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def study(self) -> str:
        return study_uid(self.patient)

    @property
    def reports_folder(self) -> Path:
        return self.project.settings.results_folder / "reports"

    def level(self, name: Level) -> int:
        with self.project.session() as session:
            return next(level.id for level in find_study(session, self.study).levels if level.name is name)

    def read(
        self,
        name: Level,
        diagnosis: Diagnosis = Diagnosis.MALIGNANT,
        reader: str = "reader-1",
        **more: object,
    ) -> int:
        given: dict[str, object] = {
            "level_id": self.level(name),
            "reader": reader,
            "mode": ReadMode.BLINDED,
            "diagnosis": diagnosis,
            "features": frozenset(),
            "confidence": 4,
            "seconds": 3.0,
            "token": f"token-{next(self._tokens)}",
            "basis": Basis.IMAGING,
        }
        with self.project.transaction() as session:
            read = submit_read(session, ReadSubmission(**(given | more)))  # type: ignore[arg-type]
            queue_reports(session, read.level, self.protocol)
            return read.id

    def read_by(self, model: str, probabilities: tuple[float, ...]) -> None:
        """The models called ``model`` say the same of each level."""
        with self.project.transaction() as session:
            found = reading(load_pair(session, self.study).reference, self.study)
            levels = tuple(replace(level, probabilities=probabilities) for level in found.levels)
            store_reading(
                session, replace(found, levels=levels, detector_version=model, classifier_version=model)
            )

    def serve(self, model: str) -> None:
        """Those called ``model`` are the champions from now on."""
        with self.project.transaction() as session:
            session.execute(update(ModelVersion).values(status=ModelStatus.RETIRED))
            known = session.scalar(select(ModelVersion).where(ModelVersion.version == model))
            row = known or ModelVersion(name=model, version=model, sha256="", task="")
            row.status = ModelStatus.CHAMPION
            session.add(row)

    def withdraw(self, read_id: int, reader: str = "reader-1") -> None:
        with self.project.transaction() as session:
            read = withdraw_read(session, read_id, reader)
            queue_reports(session, read.level, self.protocol)

    def reads(self) -> list[Read]:
        with self.project.session() as session:
            return [
                read
                for level in find_study(session, self.study).levels
                for read in sorted(level.reads, key=lambda r: r.id)
            ]

    def rows(self) -> list[Report]:
        with self.project.session() as session:
            return session.query(Report).order_by(Report.id).all()

    def received(self) -> list[ReceivedReport]:
        with self.project.session() as session:
            return session.query(ReceivedReport).order_by(ReceivedReport.id).all()

    def sender(self, kind: Kind = Kind.READER) -> Sender:
        return Sender(self.project, self.protocol, FolderDelivery(self.reports_folder), kind)

    def take(self, data: bytes) -> None:
        """A report arrives, as from the change feed."""
        found = read_report(data)
        with self.project.transaction() as session:
            row = arrivals.note_arrival(session, found, self.project.home)
            row_id = row.id if row else None
        if row_id is not None:
            Intake(self.project, self.protocol).take(row_id, data)

    def foreign(
        self,
        *said: tuple[Level, Diagnosis, PixelBox],
        number: int = 1,
        author: str = "Doe^Jane",
        slice_: int = 2,
    ) -> bytes:
        """A report of somebody else, which takes the place of the one before it in their series."""
        images = open_images(self.files)
        statements = tuple(
            Statement(
                uid_from("theirs", box.as_tuple()),
                name,
                diagnosis,
                Region(images[slice_].sop_uid, box),
                confidence=5,
            )
            for name, diagnosis, box in said
        )
        report = StudyReport(
            Reader(author),
            statements,
            uid_from("their series", author),
            uid_from("their report", author, number),
            number,
            uid_from("their report", author, number - 1) if number > 1 else None,
        )
        return write_report(report, Form.STANDARD, images)


def box_of(name: Level) -> PixelBox:
    return boxes()[LEVELS.index(name)]


def desk(folder: Path, patient: str = TRAIN, protocol: ProtocolConfig = SINGLE) -> Desk:
    """A project and pictures of its own under ``folder``, copied from ones that are made once."""
    made = _made(patient)
    shutil.copytree(made.home, folder / "home")
    shutil.copytree(made.pictures, folder / "pictures")
    project = open_project(folder / "home")
    with project.transaction() as session:
        session.execute(update(StudyFolder).values(path=str(folder / "pictures")))
    files = [folder / "pictures" / path.relative_to(made.pictures) for path in made.files]
    return Desk(project, patient, files, protocol)


def add_study(at: Desk, folder: Path, patient: str) -> str:
    """One more study in the project, which the models have read too; its UID."""
    write_study(folder, patient)
    _read_project(at.project.home, folder, patient).engine.dispose()
    return study_uid(patient)


def mirrored_desk(folder: Path, patient: str = TRAIN) -> Desk:
    """As :func:`desk`, of pictures whose columns run from back to front."""
    files = write_study(folder / "pictures", patient)
    for path in files:
        change(path, _mirror)
    return Desk(_read_project(folder / "home", folder / "pictures", patient), patient, files)


def _mirror(ds: FileDataset) -> None:
    """The same picture of the same place, its columns stored the other way round."""
    along = np.array([float(v) for v in ds.ImageOrientationPatient[:3]])
    last = np.array([float(v) for v in ds.ImagePositionPatient])
    last += along * float(ds.PixelSpacing[1]) * (ds.Columns - 1)
    ds.ImagePositionPatient = [format_number_as_ds(float(v)) for v in last]
    ds.ImageOrientationPatient = [format_number_as_ds(float(-v)) for v in along] + list(
        ds.ImageOrientationPatient[3:]
    )
    ds.PixelData = np.ascontiguousarray(ds.pixel_array[:, ::-1]).tobytes()


def _read_project(home: Path, pictures: Path, patient: str) -> Project:
    project = open_project(home)
    ingest(pictures, "Test centre", project)
    with project.transaction() as session:
        found = reading(load_pair(session, study_uid(patient)).reference, study_uid(patient))
        store_reading(session, found)
    return project


@dataclass(frozen=True)
class _Made:
    home: Path
    pictures: Path
    files: tuple[Path, ...]
    _kept: TemporaryDirectory[str]


@cache
def _made(patient: str) -> _Made:
    kept = TemporaryDirectory()
    pictures, home = Path(kept.name) / "pictures", Path(kept.name) / "home"
    files = tuple(write_study(pictures, patient))
    _read_project(home, pictures, patient).engine.dispose()
    # Each copy gets a secret of its own.
    (home / "secret.key").unlink(missing_ok=True)
    return _Made(home, pictures, files, kept)
