"""Snapshots: the reads of a cohort at one moment, frozen, so that a training can be cited and repeated."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from itertools import count
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session, contains_eager, joinedload

from spine_fracture.anatomy import Basis, Diagnosis, Feature, Level, Primary
from spine_fracture.cohort import models, records
from spine_fracture.cohort.audit import CODE_VERSION, record
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.protocol import disagree, removed
from spine_fracture.cohort.reads import REFERENCE, STANDING, evaluates, judges_its_reader, trains
from spine_fracture.cohort.splits import Split
from spine_fracture.cohort.states import ReadState
from spine_fracture.dicom.demographics import Sex
from spine_fracture.errors import ConflictError, InsufficientEvidenceError, NotFoundError, StorageError
from spine_fracture.files import write_atomically
from spine_fracture.imaging import Sequence

LATEST = "latest"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SnapshotSlice(_Frozen):
    """The level's box on one slice: ``box`` is (x0, y0, x1, y1) in pixels."""

    series_uid: str
    sequence: Sequence
    slice_index: int
    box: tuple[float, float, float, float]


class SnapshotRead(_Frozen):
    """One read with what it was a read of.

    ``drawn`` is the reader's own box, None when not touched. Snapshots of before readers were asked
    for the ``basis`` rest on imaging; those of before the patient was described (``sex``, ``age`` in years
    at the examination, ``primary_tumour``) know nothing of that.
    """

    read_id: int
    level_id: int
    study_uid: str
    patient: str
    centre: str
    split: Split
    level: Level
    diagnosis: Diagnosis
    features: tuple[Feature, ...]
    confidence: int
    reader: str
    mode: models.ReadMode
    reference: bool
    basis: Basis = Basis.IMAGING
    slices: tuple[SnapshotSlice, ...]
    drawn: SnapshotSlice | None
    sex: Sex | None = None
    age: int | None = None
    primary_tumour: Primary | None = None


class SnapshotContent(_Frozen):
    """``training`` holds reads of training patients only; ``evaluation`` never does.

    Evaluation reads are blinded or the reference standard. Code that trains or selects must look at
    ``training`` alone, and code that chooses among models at the validation patients of ``evaluation``.

    ``readers`` is what each reader said blinded of a patient that never trains, undecided answers and those
    that a decision overruled too: it judges readers, never models. ``disputed`` are the levels whose readers
    differ and nobody has decided: nothing is taken of them. Earlier snapshots have neither.
    """

    code_version: str
    training: tuple[SnapshotRead, ...]
    evaluation: tuple[SnapshotRead, ...]
    readers: tuple[SnapshotRead, ...] = ()
    disputed: tuple[int, ...] = ()


def freeze(project: Project, name: str | None = None) -> records.Snapshot:
    """Freeze all reads that count now; if nothing changed since the last snapshot, that one is returned.

    The content goes to ``snapshots/<sha256>.json`` and is never changed. Raises
    :class:`InsufficientEvidenceError` when there is no read to train on, :class:`ConflictError` when
    the name is taken by another content.
    """
    # Readers whose answers are stored meanwhile wait for nothing: they are of after the moment.
    with project.session() as session:
        content = _content(session)
    if not content.training:
        but = f" but for {len(content.disputed)} levels in dispute" if content.disputed else ""
        raise InsufficientEvidenceError(
            f"There is no read of a training patient yet{but}: read some levels (spine-fracture next)."
        )
    data = (content.model_dump_json(indent=1) + "\n").encode()
    sha256 = hashlib.sha256(data).hexdigest()
    with project.transaction() as session:
        same = _existing(session, name, sha256)
        if same is not None:
            return same
        # The file first: a row always has its file, and a file without a row is found again by its hash.
        write_atomically(_path(project, sha256), data)
        snapshot = records.Snapshot(name=name or _next_name(session), sha256=sha256)
        session.add(snapshot)
        session.flush()
        details: dict[str, object] = {
            "sha256": sha256,
            "training": len(content.training),
            "evaluation": len(content.evaluation),
        }
        record(session, "snapshot.frozen", f"snapshot:{snapshot.id}", details=details)
        return snapshot


def find_snapshot(session: Session, name: str = LATEST) -> records.Snapshot:
    """The snapshot of this name, or the last one for ``latest``."""
    query = select(records.Snapshot).order_by(records.Snapshot.id.desc()).limit(1)
    found = session.scalar(query if name == LATEST else query.where(records.Snapshot.name == name))
    if found is None:
        raise NotFoundError(f"There is no snapshot {name}: freeze one with spine-fracture cohort freeze.")
    return found


def read_snapshot(project: Project, name: str = LATEST) -> SnapshotContent:
    """The content of a snapshot, after its sha256 was checked."""
    with project.session() as session:
        snapshot = find_snapshot(session, name)
    try:
        data = _path(project, snapshot.sha256).read_bytes()
    except OSError as error:
        raise StorageError(
            f"The file of snapshot {snapshot.name} cannot be read: {error.strerror}. Restore it."
        ) from error
    if hashlib.sha256(data).hexdigest() != snapshot.sha256:
        raise StorageError(f"The file of snapshot {snapshot.name} was changed: restore the original.")
    try:
        return SnapshotContent.model_validate_json(data)
    except ValidationError as error:
        raise StorageError(
            f"Snapshot {snapshot.name} was written by another version of this program: freeze a new one."
        ) from error


def _existing(session: Session, name: str | None, sha256: str) -> records.Snapshot | None:
    if name is None:
        last = session.scalar(select(records.Snapshot).order_by(records.Snapshot.id.desc()).limit(1))
        return last if last is not None and last.sha256 == sha256 else None
    if name == LATEST:
        raise ConflictError(f"{LATEST} always means the last snapshot: choose another name.")
    taken = session.scalar(select(records.Snapshot).where(records.Snapshot.name == name))
    if taken is not None and taken.sha256 != sha256:
        raise ConflictError(
            f"The name {name} is taken by another snapshot, which never changes: choose another."
        )
    return taken


def _next_name(session: Session) -> str:
    """The next number that nobody took by hand."""
    taken = set(session.scalars(select(records.Snapshot.name)))
    names = (f"snapshot-{number:04d}" for number in count(len(taken) + 1))
    return next(name for name in names if name not in taken)


def _content(session: Session) -> SnapshotContent:
    """The reads that count: of an adjudicated level its reference alone, of one in dispute or that a reader
    removed none.
    """
    level = contains_eager(models.Read.level)
    standing = session.scalars(
        select(models.Read)
        .join(models.StudyLevel)
        .where(models.Read.state.in_(STANDING), ~removed())
        .order_by(models.Read.id)
        # All that a snapshot says of a read, in a few queries however many reads there are.
        .options(
            joinedload(models.Read.series),
            level.selectinload(models.StudyLevel.slices).joinedload(models.LevelSlice.series),
            level.joinedload(models.StudyLevel.study)
            .joinedload(models.Study.patient)
            .joinedload(models.Patient.centre),
        )
    ).all()
    decided = {read.level_id for read in standing if read.state in REFERENCE}
    by_level: dict[int, list[models.Read]] = defaultdict(list)
    for read in standing:
        by_level[read.level_id].append(read)
    disputed = {level_id for level_id, given in by_level.items() if disagree(given)} - decided
    unsettled = decided | disputed
    reads = [read for read in standing if read.state in REFERENCE or read.level_id not in unsettled]
    return SnapshotContent(
        code_version=CODE_VERSION,
        training=tuple(_frozen_read(read) for read in reads if trains(read)),
        evaluation=tuple(_frozen_read(read) for read in reads if evaluates(read)),
        readers=tuple(_frozen_read(read) for read in standing if judges_its_reader(read)),
        disputed=tuple(sorted(disputed)),
    )


def _frozen_read(read: models.Read) -> SnapshotRead:
    study = read.level.study
    return SnapshotRead(
        read_id=read.id,
        level_id=read.level_id,
        study_uid=study.uid,
        patient=study.patient.key,
        centre=study.patient.centre.name,
        split=study.patient.split,
        level=read.name_given,
        diagnosis=read.diagnosis,
        features=tuple(sorted(read.features)),
        confidence=read.confidence,
        reader=read.reader,
        mode=read.mode,
        reference=read.state is not ReadState.SUBMITTED,
        basis=read.basis,
        slices=tuple(_slice(s) for s in read.level.slices),
        drawn=_drawn(read),
        sex=study.patient.sex,
        age=study.age,
        primary_tumour=study.patient.primary_tumour,
    )


def _slice(s: models.LevelSlice) -> SnapshotSlice:
    return SnapshotSlice(
        series_uid=s.series.uid, sequence=s.series.sequence, slice_index=s.slice_index, box=s.box.as_tuple()
    )


def _drawn(read: models.Read) -> SnapshotSlice | None:
    if read.series is None or read.slice_index is None or read.box is None:
        return None
    return SnapshotSlice(
        series_uid=read.series.uid,
        sequence=read.series.sequence,
        slice_index=read.slice_index,
        box=read.box.as_tuple(),
    )


def _path(project: Project, sha256: str) -> Path:
    return project.snapshots_folder / f"{sha256}.json"
