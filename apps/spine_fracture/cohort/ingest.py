"""Taking studies in: what is usable goes into the catalogue, the rest is listed with the reason."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from spine_fracture.cohort.audit import record
from spine_fracture.cohort.model_readings import STUDY_INGESTED
from spine_fracture.cohort.models import (
    Centre,
    FileKind,
    Instance,
    LevelSlice,
    Read,
    Refused,
    Role,
    Series,
    Study,
    StudyFolder,
)
from spine_fracture.cohort.patients import enrol, pseudonym
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.sources import Found, FoundSeries, FoundStudy, choose_pair, find_studies
from spine_fracture.cohort.studies import known_series, missing_half
from spine_fracture.dicom.demographics import Demographics
from spine_fracture.dicom.grid import SeriesGrid
from spine_fracture.dicom.scan import Refusal
from spine_fracture.errors import ConflictError, InputError
from spine_fracture.files import without_names
from spine_fracture.imaging import CHANNELS, PAIR, Plane, Sequence

#: The tables whose rows lie on a slice by its number.
_ON_SLICES: tuple[type[LevelSlice] | type[Read], ...] = (LevelSlice, Read)


@dataclass(frozen=True)
class IngestReport:
    """Studies (by UID) with something new, studies known in full, and what cannot be used and why.

    ``refused`` names files as the caller named the folder. ``incomplete`` are the usable studies that lack
    half of the pair, with what is missing.
    """

    added: tuple[str, ...]
    unchanged: tuple[str, ...]
    refused: tuple[Refusal, ...]
    incomplete: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class _Taken:
    known: bool
    changed: bool
    missing: str
    refused: tuple[Refusal, ...]


def ingest(
    path: Path, centre: str, project: Project, *, progress: Callable[[int, int], None] | None = None
) -> IngestReport:
    """Take in every study of ``path`` (a folder, or one file) for ``centre``; doing it twice changes nothing.

    Each study goes in whole, in a transaction of its own. ``progress`` is told (studies done, studies
    found). Raises :class:`InputError` when the folder cannot be read at all, and
    :class:`~spine_fracture.errors.StorageError` when the project cannot be written; the studies that
    went in before stay.
    """
    centre = centre.strip()
    if not 0 < len(centre) <= 100:
        raise InputError("Give the centre a name of up to 100 letters.")
    found = find_studies(path, centre)
    refused = list(found.refused)
    added: list[str] = []
    unchanged: list[str] = []
    incomplete: list[tuple[str, str]] = []
    for number, study in enumerate(found.studies, start=1):
        try:
            with project.transaction() as session:
                taken = _take(session, study, centre, found.folder, project.home)
        except (InputError, ConflictError) as error:
            refused.append(Refusal(study.series[0].files[0][1], str(error)))
        else:
            if taken.changed:
                added.append(study.uid)
            elif taken.known:
                unchanged.append(study.uid)
            refused.extend(taken.refused)
            if taken.missing:
                incomplete.append((study.uid, taken.missing))
        if progress:
            progress(number, len(found.studies))
    with project.transaction() as session:
        _remember(session, centre, found, refused)
    given = path if found.only is None else path.parent
    named = tuple(replace(r, path=given / r.path.relative_to(found.folder)) for r in refused)
    return IngestReport(tuple(added), tuple(unchanged), named, tuple(incomplete))


def _take(session: Session, study: FoundStudy, centre: str, folder: Path, home: Path) -> _Taken:
    key = pseudonym(home, centre, study.patient_id)
    row = session.scalar(select(Study).where(Study.uid == study.uid))
    if row is not None and row.patient.key != key:
        raise ConflictError("Its study is in the catalogue already, under another patient or centre.")
    reasons = {series.uid: _known_elsewhere(session, series, study.uid) for series in study.series}
    refused = tuple(Refusal(s.files[0][1], reasons[s.uid]) for s in study.series if reasons[s.uid])
    sound = [series for series in study.series if not reasons[series.uid]]
    known = row is not None
    if row is None:
        if not sound:
            return _Taken(False, False, "", refused)
        row = Study(uid=study.uid, patient=enrol(session, key, _centre(session, centre)))
        session.add(row)
    described = _describe(row, study.demographics)
    if known and described:
        record(session, "study.described", f"study:{row.id}")
    stored = {series.uid: series for series in row.series}
    new = [series for series in sound if series.uid not in stored]
    grown = renamed = 0
    for series in sound:
        if series.uid in stored:
            _move_if_gone(session, stored[series.uid], series, folder)
            grown += _grow(session, stored[series.uid], series)
            renamed += _recognise(stored[series.uid], series)
    if not new and not grown and not renamed:
        _say_what_is_read(row)
        return _Taken(known, described, missing_half(row), refused)
    as_now = known_series(row)
    for series in as_now:
        _recognise(stored[series.uid], series)
    chosen = _choose([*as_now, *new], known=known)
    row.series.extend(_series(series, _folder(session, folder)) for series in new)
    _settle(session, row, *chosen)
    details: dict[str, object] = {"series": len(new), "missing": missing_half(row)}
    record(session, STUDY_INGESTED, f"study:{row.id}", details=details)
    return _Taken(True, True, missing_half(row), refused)


def _describe(study: Study, stated: Demographics) -> bool:
    """Fill in what is not known of the patient yet; whether there was any such thing."""
    before = study.patient.sex, study.age
    study.patient.sex = study.patient.sex or stated.sex
    study.age = stated.age if study.age is None else study.age
    return before != (study.patient.sex, study.age)


def _recognise(stored: Series, found: FoundSeries) -> bool:
    """Keep what sequence a series is taken for now; whether it was taken for another one before.

    Whatever its role was, its pictures could not be read in it any more.
    """
    if stored.kind is not FileKind.DICOM or stored.sequence == found.sequence:
        return False
    stored.sequence = found.sequence
    return True


def _choose(series: Iterable[FoundSeries], *, known: bool) -> tuple[str | None, str | None]:
    """As :func:`choose_pair`; a study that is in the catalogue stays there though it has no pair any more."""
    try:
        return choose_pair(series)
    except InputError:
        if not known:
            raise
        return None, None


def _settle(session: Session, study: Study, t1_uid: str | None, t2_uid: str | None) -> None:
    """What depends on all series of the study together: the pair, and the patient's field strength."""
    for series in study.series:
        series.role = {t1_uid: Role.T1, t2_uid: Role.T2}.get(series.uid)
    _say_what_is_read(study)
    if study.numbering_sure is None:
        study.notes = []  # why the models refused it was said of other series
    if study.patient.field_strength is None:
        strengths = (series.field_strength for series in study.series)
        study.patient.field_strength = next((s for s in strengths if s), None)
    session.flush()


def _known_elsewhere(session: Session, series: FoundSeries, study_uid: str) -> str:
    """Why this series cannot be what it says: its UIDs belong to something else already."""
    uids = [uid for uid, _ in series.files]
    owners = session.execute(
        select(Series.uid, Study.uid)
        .join(Study)
        .join(Instance)
        .where((Series.uid == series.uid) | Instance.sop_uid.in_(uids))
        .distinct()
    )
    for owner, owner_study in owners:
        if owner_study != study_uid:
            return "Its pictures are in the catalogue already, under another study or patient."
        if owner != series.uid:
            return "Its pictures are in the catalogue already, under another series of the study."
    return ""


def _grow(session: Session, stored: Series, found: FoundSeries) -> bool:
    """Slices that were missing when the series came in are added; whether there were any."""
    before = {instance.sop_uid for instance in stored.instances}
    folder = Path(stored.folder.path)
    added = [(uid, path) for uid, path in found.files if uid not in before]
    if not before <= dict(found.files).keys() or not all(p.is_relative_to(folder) for _, p in added):
        return False
    stored.instances.extend(_instance(uid, path, folder) for uid, path in added)
    stored.slices = max(stored.slices, found.shape[0])
    if added and stored.kind is FileKind.DICOM:
        _renumber(session, stored, before, found)
    return bool(added)


def _renumber(session: Session, stored: Series, known: set[str], found: FoundSeries) -> None:
    """Boxes stay on their pictures when slices come in before or between those that were ``known``.

    Slices are read in the order of their position: the known ones keep theirs and only move up.
    """
    shown = SeriesGrid.of_files(path for _, path in found.files).slices
    numbers = [number for number, one in enumerate(shown) if one.sop_uid in known]
    moved = [(old, new) for old, new in enumerate(numbers) if old != new]
    # From the last one down: the place that a box goes to is free by then.
    for old, new in reversed(moved):
        for table in _ON_SLICES:
            there = (table.series_id == stored.id) & (table.slice_index == old)
            session.execute(update(table).where(there).values(slice_index=new))
    if moved:
        # Who has a level open counts the slices as they were: the new version tells them so.
        for level in stored.study.levels:
            level.version += 1


def _instance(uid: str, path: Path, folder: Path) -> Instance:
    return Instance(sop_uid=uid, path=path.relative_to(folder).as_posix())


def _move_if_gone(session: Session, stored: Series, found: FoundSeries, folder: Path) -> None:
    """Files that are no longer where they were are looked for where they are now."""
    if all((Path(stored.folder.path) / instance.path).is_file() for instance in stored.instances):
        return
    paths = dict(found.files)
    if {instance.sop_uid for instance in stored.instances} <= paths.keys():
        stored.folder = _folder(session, folder)
        for instance in stored.instances:
            instance.path = paths[instance.sop_uid].relative_to(folder).as_posix()


def _series(found: FoundSeries, folder: StudyFolder) -> Series:
    acquisition = found.acquisition
    return Series(
        uid=found.uid,
        folder=folder,
        kind=found.kind,
        sequence=found.sequence,
        plane=found.plane,
        spacing_origin=found.spacing_origin,
        slices=found.shape[0],
        rows=found.shape[1],
        columns=found.shape[2],
        repetition_time=acquisition.repetition_time,
        echo_time=acquisition.echo_time,
        inversion_time=acquisition.inversion_time,
        field_strength=acquisition.field_strength,
        usable=True,
        instances=[_instance(uid, path, Path(folder.path)) for uid, path in found.files],
    )


def _say_what_is_read(study: Study) -> None:
    """Keep of every series whether the models of MRI may read it, now that the pair is chosen."""
    pair = {series.sequence for series in study.series if series.role is not None}
    for series in study.series:
        series.reason = "" if series.role is not None else _unused(series, pair)
        series.usable = not series.reason


def _unused(series: Series, pair: Collection[Sequence]) -> str:
    """Why a series beside this pair, sound in itself, is not read; empty when it may be."""
    if series.kind is FileKind.RADIOGRAPH:
        return "plain radiographs, which radiograph_classification reads"
    if series.plane is not Plane.SAGITTAL:
        return f"{series.plane} slices: sagittal ones are read"
    if series.sequence not in CHANNELS:
        return f"sequence {series.sequence}: {', '.join(CHANNELS)} are read"
    if not pair:
        return f"sequence {series.sequence}: it is read beside plain sagittal T1 or T2, and there is none"
    if series.sequence in pair:
        return f"one more sagittal {series.sequence}: another one of the study is read"
    if series.sequence in PAIR:
        return f"sagittal {series.sequence} of another region than the series that is read"
    return ""


def _centre(session: Session, name: str) -> Centre:
    found = session.scalar(select(Centre).where(Centre.name == name))
    if found is None:
        found = Centre(name=name)
        session.add(found)
        session.flush()
    return found


def _folder(session: Session, path: Path) -> StudyFolder:
    found = session.scalar(select(StudyFolder).where(StudyFolder.path == str(path)))
    if found is None:
        found = StudyFolder(path=str(path))
        session.add(found)
        session.flush()
    return found


def _remember(session: Session, centre: str, found: Found, refused: Iterable[Refusal]) -> None:
    """Keep the list of what the folder could not give, for the overview of the cohort.

    What was refused of it before is forgotten, or of the one file where only that was looked at.
    """
    wanted = {_digest(r.path, found.folder): _without_name(r) for r in refused}
    place = session.scalar(select(StudyFolder).where(StudyFolder.path == str(found.folder)))
    if place is None and not wanted:
        return
    where, whose = place or _folder(session, found.folder), _centre(session, centre)
    before = select(Refused).where(Refused.folder_id == where.id, Refused.centre_id == whose.id)
    if found.only is not None:
        before = before.where(Refused.path_digest == _digest(found.only, found.folder))
    for row in session.scalars(before):
        if wanted.get(row.path_digest) == row.reason:
            del wanted[row.path_digest]
        else:
            session.delete(row)
    session.flush()
    session.add_all(
        Refused(centre_id=whose.id, folder_id=where.id, path_digest=digest, reason=reason)
        for digest, reason in wanted.items()
    )


def _digest(path: Path, folder: Path) -> str:
    return hashlib.sha256(path.relative_to(folder).as_posix().encode()).hexdigest()


def _without_name(refusal: Refusal) -> str:
    """The reason without the file's name, which may name a patient."""
    return without_names(refusal.reason, [refusal.path])[:500]
