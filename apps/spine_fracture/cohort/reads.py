"""Reads: one reader's answer for one level, acknowledged only when it is safely stored."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from math import isfinite

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from spine_fracture.anatomy import Basis, Diagnosis, Feature, Level, contradiction
from spine_fracture.cohort.audit import record
from spine_fracture.cohort.levels import find_level
from spine_fracture.cohort.models import FileKind, Read, ReadMode, Series, StudyLevel
from spine_fracture.cohort.splits import Split
from spine_fracture.cohort.states import READ_TABLE, ReadEvent, ReadState, after
from spine_fracture.errors import ConflictError, InputError, NotFoundError
from spine_fracture.geometry import PixelBox

_LONGEST_NOTE = 2000
_LONGEST_NAME = 64
_DAY = 86_400.0
#: How the tokens begin of reads that took over another's answer when names were moved.
_RENAMED = "renamed-"
#: States of a read that counts; of the others, one was never sent and two were taken back.
STANDING = (ReadState.SUBMITTED, ReadState.ADJUDICATED, ReadState.LOCKED)
REFERENCE = (ReadState.ADJUDICATED, ReadState.LOCKED)


@dataclass(frozen=True)
class DrawnBox:
    """The box as the reader left it, in pixels of one slice of a series of the study."""

    series_uid: str
    slice_index: int
    box: PixelBox
    slice_uid: str = ""


@dataclass(frozen=True)
class ReadSubmission:
    """What a reader sends.

    ``token`` is made by the client, one for each press of the button: sending it twice stores one
    read. ``name_given`` and ``box`` are None when the reader left them as they were. ``level_version``
    is the version of the level the reader saw; None when the client cannot know it. ``confidence``
    is 1 (a guess) to 5 (certain); ``basis`` what the diagnosis rests on.
    """

    level_id: int
    reader: str
    mode: ReadMode
    diagnosis: Diagnosis
    features: frozenset[Feature]
    confidence: int
    seconds: float
    token: str
    note: str = ""
    basis: Basis = Basis.IMAGING
    name_given: Level | None = None
    box: DrawnBox | None = None
    level_version: int | None = None

    def __post_init__(self) -> None:
        for what, text in (("reader", self.reader), ("token", self.token)):
            if not 0 < len(text.strip()) <= _LONGEST_NAME:
                raise InputError(f"A read needs a {what} of up to {_LONGEST_NAME} letters.")
        if len(self.note) > _LONGEST_NOTE:
            raise InputError(f"The note is longer than {_LONGEST_NOTE} letters: shorten it.")
        if self.confidence not in range(1, 6):
            raise InputError(f"The confidence must be a whole number from 1 to 5, got {self.confidence!r}.")
        if not (isfinite(self.seconds) and 0 <= self.seconds <= _DAY):
            raise InputError(f"The time spent must be 0 to {_DAY:.0f} seconds, got {self.seconds!r}.")
        why = contradiction(self.features)
        if why:
            raise InputError(f"These features cannot be seen together: {why}.")


def submit_read(session: Session, submission: ReadSubmission) -> Read:
    """Store a read with its audit event in the caller's transaction (:meth:`Project.transaction`).

    Reads of different readers stand side by side; a reader's earlier read of the level gives way.
    Raises :class:`NotFoundError` for an unknown level, :class:`InputError` for a box outside the
    picture, :class:`ConflictError` when the level was changed since the reader saw it, when the
    token was used for something else, or when the earlier read has been adjudicated.
    """
    level = find_level(session, submission.level_id)
    # Two submissions for one level go one after the other (on SQLite every writing transaction does).
    session.refresh(level, with_for_update=True)
    known = find_by_token(session, submission)
    if known is not None:
        return known
    if submission.level_version not in (None, level.version):
        raise ConflictError(
            "This level was changed while you were reading it: open it again and look at its box and name."
        )
    read = _new_read(level, submission)
    for earlier in standing_reads(level, submission.reader):
        move_read(session, earlier, ReadEvent.SUPERSEDE, actor=submission.reader)
        read.replaces_id = earlier.id
    level.reads.append(read)
    session.flush()
    _record(session, read, "read.submitted", submission.reader)
    return read


def renamed_read(read: Read, name: Level) -> ReadSubmission:
    """The same answer under the name that its level has now."""
    drawn = None
    if read.series is not None and read.slice_index is not None and read.box is not None:
        drawn = DrawnBox(read.series.uid, read.slice_index, read.box, read.sop_uid)
    return ReadSubmission(
        level_id=read.level_id,
        reader=read.reader,
        mode=read.mode,
        diagnosis=read.diagnosis,
        features=read.features,
        confidence=read.confidence,
        seconds=read.seconds,
        token=f"{_RENAMED}{uuid.uuid4().hex}",
        note=read.note,
        basis=read.basis,
        name_given=name,
        box=drawn,
    )


def as_answered(session: Session, read: Read) -> Read:
    """The read as its reader gave it, before names were moved."""
    while read.token.startswith(_RENAMED) and read.replaces_id is not None:
        earlier = session.get(Read, read.replaces_id)
        if earlier is None:
            break
        read = earlier
    return read


def withdraw_read(session: Session, read_id: int, reader: str) -> Read:
    """Undo: the reader takes a read back, and the one it had superseded stands again.

    Of a read whose level got another name since nothing stands again: what it superseded has the old name.
    """
    read = session.get(Read, read_id, with_for_update=True)
    if read is None or read.reader != reader:
        raise NotFoundError(f"You have no read {read_id} to withdraw.")
    if read.state is ReadState.WITHDRAWN:
        return read
    move_read(session, read, ReadEvent.WITHDRAW, actor=reader)
    renamed = read.token.startswith(_RENAMED)
    earlier = session.get(Read, read.replaces_id) if read.replaces_id and not renamed else None
    if earlier is not None and earlier.state is ReadState.SUPERSEDED:
        move_read(session, earlier, ReadEvent.REINSTATE, actor=reader)
    return read


def find_by_token(session: Session, submission: ReadSubmission) -> Read | None:
    """The read that was stored for this token; raises :class:`ConflictError` if it says something else, or
    was taken back since: whoever sends it again would believe that it stands.
    """
    found = session.scalar(
        select(Read).where(Read.reader == submission.reader, Read.token == submission.token)
    )
    if found is None:
        return None
    sent = (submission.level_id, submission.diagnosis, submission.features, submission.confidence)
    if (found.level_id, found.diagnosis, found.features, found.confidence) != sent:
        raise ConflictError("This token was used for another read already: make a new one for each read.")
    if found.state is ReadState.WITHDRAWN:
        raise ConflictError("This read was taken back meanwhile: look at it and submit it anew.")
    return found


def move_read(session: Session, read: Read, event: ReadEvent, *, actor: str) -> None:
    """Let ``event`` happen to a read, on the record."""
    read.state = after(READ_TABLE, read.state, event)
    _record(session, read, f"read.{read.state}", actor)


def standing_reads(level: StudyLevel, reader: str | None = None) -> tuple[Read, ...]:
    """The reads of a level that count, oldest first; of one reader if given."""
    return tuple(read for read in level.reads if read.state in STANDING and reader in (None, read.reader))


#: What :func:`evaluates` asks of the read itself, for queries.
JUDGES = and_(
    Read.diagnosis != Diagnosis.INDETERMINATE,
    or_(Read.state.in_(REFERENCE), and_(Read.state.in_(STANDING), Read.mode == ReadMode.BLINDED)),
)


def counts(read: Read) -> bool:
    """Whether a read counts towards those a level needs: of a patient that never trains, if it may judge."""
    if read.level.study.patient.split is Split.TRAIN:
        return read.state in STANDING
    return evaluates(read)


def trains(read: Read) -> bool:
    """Whether a read may teach: it says something definite of a training patient."""
    return (
        read.state in STANDING
        and read.level.study.patient.split is Split.TRAIN
        and read.diagnosis is not Diagnosis.INDETERMINATE
    )


def evaluates(read: Read) -> bool:
    """Whether a read may judge models: blinded, or the reference standard, of a patient that never trains."""
    return (
        read.level.study.patient.split is not Split.TRAIN
        and read.diagnosis is not Diagnosis.INDETERMINATE
        and (read.state in REFERENCE or (read.state in STANDING and read.mode is ReadMode.BLINDED))
    )


def judges_its_reader(read: Read) -> bool:
    """Whether a read tells how its reader reads: blinded, no decision about others, of a patient that never
    trains.
    """
    return (
        read.level.study.patient.split is not Split.TRAIN
        and read.state is ReadState.SUBMITTED
        and read.mode is ReadMode.BLINDED
    )


def _new_read(level: StudyLevel, submission: ReadSubmission) -> Read:
    drawn = submission.box
    series = _series_of(level, drawn) if drawn else None
    return Read(
        reader=submission.reader,
        token=submission.token,
        mode=submission.mode,
        state=after(READ_TABLE, ReadState.DRAFT, ReadEvent.SUBMIT),
        name_given=submission.name_given or level.name,
        diagnosis=submission.diagnosis,
        feature_words=sorted(submission.features),
        confidence=submission.confidence,
        seconds=submission.seconds,
        note=submission.note,
        basis=submission.basis,
        series=series,
        slice_index=drawn.slice_index if drawn else None,
        sop_uid=drawn.slice_uid if drawn else "",
        box=drawn.box.inside(series.rows, series.columns) if drawn and series else None,
    )


def _series_of(level: StudyLevel, drawn: DrawnBox) -> Series:
    series = next((s for s in level.study.series if s.uid == drawn.series_uid), None)
    if series is None:
        raise NotFoundError("The box lies on a series that this study does not have.")
    if not 0 <= drawn.slice_index < series.slices:
        raise InputError(f"The box lies on slice {drawn.slice_index} of a series of {series.slices} slices.")
    # What is no DICOM has no instances of its own.
    files = {instance.sop_uid for instance in series.instances} if series.kind is FileKind.DICOM else None
    if drawn.slice_uid and files is not None and drawn.slice_uid not in files:
        raise NotFoundError("The box lies on a slice that this series does not have.")
    return series


def _record(session: Session, read: Read, action: str, actor: str) -> None:
    details: dict[str, object] = {
        "level": read.level_id,
        "mode": read.mode.value,
        "diagnosis": read.diagnosis.value,
        "basis": read.basis.value,
    }
    record(session, action, f"read:{read.id}", actor=actor, details=details)
