"""The catalogue as the server sees it: the only image ids and files that a request can reach."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session, selectinload

from spine_fracture.cohort import models
from spine_fracture.cohort.model_readings import growth, read_by
from spine_fracture.cohort.models import FileKind, Role
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.studies import files_of, further_series, load_pair, read_volume
from spine_fracture.dicom.grid import SeriesGrid
from spine_fracture.errors import NotFoundError, OffDomainError
from spine_fracture.imaging import PairedStack, Sequence, Volume
from spine_fracture.server.sources import Source

#: In an image id, what comes after the series' UID lets a picture through the gate (see :mod:`.auth`).
PASS_SIGN = "~"


@dataclass(frozen=True)
class Study:
    """A study that can be read.

    ``image`` is the UID of the series that stands for it with MONAI Label's clients: T2 if there is one,
    else T1. ``series`` are the pair, ``files`` theirs and those of what some models read beside it.
    ``growth`` tells what had been taken in by then (see :mod:`spine_fracture.cohort.model_readings`).
    """

    uid: str
    image: str
    series: frozenset[str]
    files: tuple[Path, ...]
    growth: int

    @property
    def fingerprint(self) -> str:
        """Changes when a file that is read is added, removed or rewritten."""
        digest = hashlib.sha256()
        for path in self.files:
            # A file that is gone is a change too; reading it will say so.
            stat = path.stat() if path.is_file() else None
            digest.update(f"{path} {stat and (stat.st_size, stat.st_mtime_ns)}\n".encode())
        return digest.hexdigest()[:32]

    def changed_since(self, moment: datetime) -> bool:
        """Whether a file that is read is newer than ``moment``, or gone."""
        return any(not f.is_file() or f.stat().st_mtime > moment.timestamp() for f in self.files)


@dataclass(frozen=True)
class RadiographFiles:
    """The plain radiographs of a study: the UID of each one's series, and its file."""

    study: str
    files: tuple[tuple[str, Path], ...]


_READABLE = models.Study.series.any(models.Series.role.is_not(None))


class Catalogue:
    """Studies by the UID of the study or of any of its series. Safe to use from several threads."""

    def __init__(self, project: Project, source: Source) -> None:
        self._project = project
        self._source = source
        self._gathering = threading.Lock()

    def refresh(self) -> None:
        """Take in what the source has now."""
        with self._gathering:
            self._source.gather(self._project)

    def images(self) -> tuple[str, ...]:
        """The image id of every study that can be read, in order of the study's UID."""
        with self._project.session() as session:
            rows = session.scalars(_studies().options(selectinload(models.Study.series)))
            return tuple(image for row in rows if (image := _image(row)) is not None)

    def images_of(self, study_uids: frozenset[str]) -> frozenset[str]:
        """The image ids of these studies."""
        with self._project.session() as session:
            rows = session.scalars(
                _studies().where(models.Study.uid.in_(study_uids)).options(selectinload(models.Study.series))
            )
            return frozenset(image for row in rows if (image := _image(row)) is not None)

    def count(self) -> int:
        """How many studies can be read."""
        with self._project.session() as session:
            return session.scalar(select(func.count()).select_from(models.Study).where(_READABLE)) or 0

    def unread(self, detector: str, classifier: str) -> tuple[str, ...]:
        """The UIDs of the studies that these model versions have not read as they are now."""
        unseen = select(models.Study.uid).where(_READABLE, ~read_by(detector, classifier))
        with self._project.session() as session:
            return tuple(session.scalars(unseen.order_by(models.Study.uid)))

    def find(self, uid: str) -> Study:
        """The study with this study or series UID.

        Raises :class:`NotFoundError` for an unknown one and :class:`OffDomainError` for a study without
        sagittal T1 or T2.
        """
        with self._row(uid) as (session, row):
            return _of(row, growth(session, row))

    def study_uid(self, uid: str) -> str:
        """The UID of the study with this study or series UID; raises :class:`NotFoundError`."""
        with self._row(uid) as (_, row):
            return row.uid

    def radiographs(self, uid: str) -> RadiographFiles:
        """The radiographs of the study with this study or series UID.

        Raises :class:`NotFoundError` for an unknown one and :class:`OffDomainError` for a study without any.
        """
        with self._row(uid) as (_, row):
            series = [one for one in row.series if one.kind is FileKind.RADIOGRAPH]
            files = tuple((one.uid, path) for one in series for path in files_of(one))
            if not files:
                raise OffDomainError("This study holds no plain radiographs (DX or CR) of the spine.")
            return RadiographFiles(row.uid, files)

    def pair(self, study: Study, further: Collection[Sequence] = ()) -> PairedStack:
        """T1 and T2 on one grid, with what the study has of ``further`` beside them."""
        with self._project.session() as session:
            return load_pair(session, study.uid, further)

    def picture(self, study: Study, series_uid: str | None = None) -> Volume:
        """A series of the study, by default the one that stands for it."""
        uid = series_uid or study.image
        with self._project.session() as session:
            return read_volume(_series(session, uid))

    def stored_picture(self, series_uid: str) -> Volume:
        """A series with its rows and columns as in its files; what is no DICOM is stored as it is shown."""
        with self._project.session() as session:
            series = _series(session, series_uid)
            volume = read_volume(series)
            if series.kind is not FileKind.DICOM:
                return volume
            return SeriesGrid.of_files(files_of(series)).as_stored(volume)

    @contextmanager
    def _row(self, uid: str) -> Iterator[tuple[Session, models.Study]]:
        """The study with this study or series UID, looked for at the source when it is not known yet."""
        uid = without_pass(uid)
        with self._project.session() as session:
            known = _by_uid(session, uid) is not None
        if not known and _looks_like_uid(uid):
            with self._gathering:
                self._source.look_for(self._project, uid)
        with self._project.session() as session:
            row = _by_uid(session, uid)
            if row is None:
                raise NotFoundError("There is no such image: take an id from /datastore/?output=all.")
            yield session, row


def without_pass(image: str) -> str:
    """The UID of an image id."""
    return image.partition(PASS_SIGN)[0]


def _series(session: Session, uid: str) -> models.Series:
    return session.scalars(select(models.Series).filter_by(uid=uid)).one()


def _studies() -> Select[models.Study]:
    return select(models.Study).order_by(models.Study.uid)


def _by_uid(session: Session, uid: str) -> models.Study | None:
    with_series = select(models.Series.study_id).where(models.Series.uid == uid)
    here = or_(models.Study.uid == uid, models.Study.id.in_(with_series))
    return session.scalars(_studies().where(here)).first()


def _image(row: models.Study) -> str | None:
    by_role = {series.role: series.uid for series in row.series}
    return by_role.get(Role.T2) or by_role.get(Role.T1)


def _of(row: models.Study, grown: int) -> Study:
    image = _image(row)
    if image is None:
        reasons = sorted({series.reason for series in row.series if series.reason})
        raise OffDomainError("This study cannot be read: " + ("; ".join(reasons) or "no sagittal T1 or T2."))
    read = [series for series in row.series if series.role is not None]
    return Study(
        uid=row.uid,
        image=image,
        series=frozenset(series.uid for series in read),
        files=tuple(path for series in (*read, *further_series(row)) for path in files_of(series)),
        growth=grown,
    )


def _looks_like_uid(text: str) -> bool:
    return 0 < len(text) <= 64 and all(part.isdigit() for part in text.split("."))
