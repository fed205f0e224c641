"""Studies of the catalogue: finding them, and reading their pictures."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from spine_fracture.cohort.models import FileKind, Role, Series, Study
from spine_fracture.cohort.sources import FoundSeries, of_dicom, read_plain
from spine_fracture.dicom.further import with_further
from spine_fracture.dicom.header import read_headers
from spine_fracture.dicom.pairing import pair
from spine_fracture.dicom.reader import read_series
from spine_fracture.dicom.scan import describe_series
from spine_fracture.errors import InputError, NotFoundError
from spine_fracture.files import without_names
from spine_fracture.imaging import FURTHER, Acquisition, PairedStack, Plane, Sequence, Volume


def find_study(session: Session, study_uid: str) -> Study:
    """Raises :class:`NotFoundError` when the catalogue has no such study."""
    study = session.scalar(select(Study).where(Study.uid == study_uid))
    if study is None:
        raise NotFoundError(f"There is no study {study_uid} in the catalogue: ingest it first.")
    return study


def note_refusal(session: Session, study_uid: str, why: str) -> None:
    """Why the models could not read the study, for those who look after the cohort."""
    find_study(session, study_uid).notes = [why]


def files_of(series: Series) -> tuple[Path, ...]:
    folder = Path(series.folder.path)
    return tuple(folder / instance.path for instance in series.instances)


def read_volume(series: Series) -> Volume:
    """The pictures of one series.

    Raises an :class:`InputError` when its files were lost or changed. Its text names none of them, as they
    may name a patient.
    """
    files = files_of(series)
    try:
        return _read_volume(series, files)
    except InputError as error:
        raise type(error)(without_names(str(error), files)) from None


def _read_volume(series: Series, files: tuple[Path, ...]) -> Volume:
    if not all(path.is_file() for path in files):
        raise InputError(
            "Files of this series are no longer where they were: ingest the folder they are in now."
        )
    if series.kind is FileKind.DICOM:
        return read_series(files)
    volume = read_plain(series.kind)(files[0], series.sequence)
    if volume.series_uid != series.uid:
        raise InputError("The file of this series was changed after it was ingested: put the original back.")
    return volume


def further_series(study: Study) -> tuple[Series, ...]:
    """The series that a model may read beside the pair: sagittal ones of FURTHER."""
    return tuple(s for s in study.series if s.sequence in FURTHER and s.plane is Plane.SAGITTAL)


def load_pair(session: Session, study_uid: str, further: Collection[Sequence] = ()) -> PairedStack:
    """The T1 and T2 of a study, read and put on one grid, with what it has of ``further`` beside them."""
    study = find_study(session, study_uid)
    roles = {series.role: series for series in study.series}
    t1, t2 = roles.get(Role.T1), roles.get(Role.T2)
    beside = [read_volume(series) for series in further_series(study) if series.sequence in further]
    return with_further(pair(read_volume(t1) if t1 else None, read_volume(t2) if t2 else None), beside)


def missing_half(study: Study) -> str:
    """``T1`` or ``T2`` when the study lacks it for the models; empty when it has both, or none."""
    roles = {series.role for series in study.series} - {None}
    if not roles:
        return ""
    return ", ".join(role.name for role in Role if role not in roles)


def known_series(study: Study) -> list[FoundSeries]:
    """The stored series of a study as if found again, to choose among them and new ones."""
    return [_found(series) for series in study.series]


def _found(series: Series) -> FoundSeries:
    files = files_of(series)
    if series.kind is FileKind.DICOM and all(path.is_file() for path in files):
        return of_dicom(describe_series([header for path in files for header in read_headers(path)]))
    return FoundSeries(
        uid=series.uid,
        kind=series.kind,
        files=tuple(zip((i.sop_uid for i in series.instances), files, strict=True)),
        sequence=series.sequence,
        plane=series.plane,
        spacing_origin=series.spacing_origin,
        shape=(series.slices, series.rows, series.columns),
        acquisition=Acquisition(
            repetition_time=series.repetition_time,
            echo_time=series.echo_time,
            inversion_time=series.inversion_time,
            field_strength=series.field_strength,
        ),
    )
