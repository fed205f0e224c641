"""Reads as they arrive from clients: our own JSON, or the ROIs of a Slicer scene.

Slicer sends the whole scene back, with the ROIs that nobody touched. Those are the model's own
opinion and no read: of a scene, an ROI is stored when its box, level or class is no longer what the
models said, when its level is the one that ``/activelearning`` served to the reader, or when ``level_id``
(one id or a list) in the request's ``params`` says that its level was read. The last two are stored even
if the reader agrees with all of it.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.cohort.leases import Seat, left_at, read_mode, release
from spine_fracture.cohort.levels import level_at
from spine_fracture.cohort.models import LevelSource, Study, StudyLevel
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.protocol import ProtocolConfig
from spine_fracture.cohort.reads import DrawnBox, ReadSubmission, submit_read
from spine_fracture.cohort.shown import was_shown
from spine_fracture.errors import InputError, NotFoundError
from spine_fracture.geometry import PixelBox, VolumeFrame
from spine_fracture.levels import StudyReading
from spine_fracture.server.markups import MarkedLevel
from spine_fracture.server.read_forms import UNSTATED_CONFIDENCE, ReadForm
from spine_fracture.server.reports.outbox import queue_reports
from spine_fracture.server.samples import MONAI_LABEL_TAB

#: A box that moved less than this (mm, and pixels) was not moved by a person.
_UNMOVED = 0.5


@dataclass(frozen=True)
class KeptRead:
    """A read that is safely stored."""

    id: int
    level_id: int
    level: Level
    diagnosis: Diagnosis


@dataclass(frozen=True)
class KeptScene:
    """What of a scene was stored, and how many ROIs were left because nobody had touched them."""

    reads: tuple[KeptRead, ...]
    untouched: int


@dataclass(frozen=True, eq=False)
class MarkedScene:
    """The ROIs that came back, and what the models had shown; boxes are stored on ``series_uid``."""

    marked: tuple[MarkedLevel, ...]
    shown: StudyReading
    series_uid: str
    frame: VolumeFrame


class ReadDesk:
    """Stores reads of a study that its levels are known of."""

    def __init__(self, project: Project, protocol: ProtocolConfig) -> None:
        self._project = project
        self._protocol = protocol

    def take(self, study_uid: str, reader: str, forms: Sequence[ReadForm]) -> tuple[KeptRead, ...]:
        """Store reads from our own clients, all or none; a level that was served is free again.

        The mode of a read is what the server knows of its reader, never what a client says.
        """
        with self._project.transaction() as session:
            levels = _levels(session, study_uid)
            submissions = [_submission(session, form, reader, levels) for form in forms]
            return tuple(_stored(session, submission, self._protocol) for submission in submissions)

    def take_marked(self, scene: MarkedScene, reader: str, asked: frozenset[int]) -> KeptScene:
        """Store the ROIs of a scene that were touched or ``asked`` for (ids of levels), all or none.

        The level that was served to the reader counts as asked for: sending its scene back agrees. So do
        the levels whose predictions the reader was never shown: those ROIs are the reader's own.
        """
        study = scene.shown.study_uid
        with self._project.transaction() as session:
            served = left_at(session, Seat(reader, MONAI_LABEL_TAB))
            asked = asked if served is None else asked | {served.level_id}
            levels = _levels(session, study)
            placed = [(marked, _by_place(levels, marked)) for marked in scene.marked]
            stated = [
                (marked, level)
                for marked, level in placed
                if level.id in asked
                # Else what is left out would tell a blinded reader where the models agree.
                or not was_shown(session, level, reader)
                or _touched(marked, level, scene)
            ]
            kept = tuple(
                _stored(session, _from_marked(session, marked, reader, level, scene), self._protocol)
                for marked, level in stated
            )
        return KeptScene(kept, len(placed) - len(stated))


def _levels(session: Session, study_uid: str) -> list[StudyLevel]:
    rows = session.scalars(
        select(StudyLevel)
        .join(Study)
        .where(Study.uid == study_uid, StudyLevel.current, StudyLevel.source != LevelSource.REFERENCE)
        .order_by(StudyLevel.id)
    )
    return list(rows)


def _submission(
    session: Session, form: ReadForm, reader: str, levels: Sequence[StudyLevel]
) -> ReadSubmission:
    level = _by_id(levels, form.level_id) if form.level_id is not None else _by_name(levels, form.level)
    drawn = form.box
    return ReadSubmission(
        level_id=level.id,
        reader=reader,
        mode=read_mode(session, level, reader),
        diagnosis=form.diagnosis,
        features=form.features,
        confidence=form.confidence,
        seconds=form.seconds,
        token=form.token,
        basis=form.basis,
        note=form.note,
        name_given=form.level,
        box=DrawnBox(drawn.series, drawn.slice, PixelBox(*drawn.box)) if drawn else None,
        level_version=form.level_version,
    )


def _by_id(levels: Sequence[StudyLevel], level_id: int) -> StudyLevel:
    found = next((level for level in levels if level.id == level_id), None)
    if found is None:
        raise NotFoundError(f"This study has no level {level_id}: take one from the queue or from /infer.")
    return found


def _by_name(levels: Sequence[StudyLevel], name: Level | None) -> StudyLevel:
    if name is None:
        raise InputError("A read needs level or level_id.")
    found = next((level for level in levels if level.name is name), None)
    if found is None:
        names = ", ".join(level.name for level in levels) or "none"
        raise NotFoundError(f"{name} was not found in this study; its levels: {names}.")
    return found


def _touched(marked: MarkedLevel, level: StudyLevel, scene: MarkedScene) -> bool:
    """Whether a person changed what the models had said of this level."""
    said = next((lv.most_probable for lv in scene.shown.levels if lv.name is level.name), None)
    if (marked.level, marked.diagnosis) != (level.name, said):
        return True
    before, after = (scene.frame.box_to_pixel(box)[0].as_tuple() for box in (level.box, marked.box))
    pairs = ((level.box.centre, marked.box.centre), (level.box.size, marked.box.size), (before, after))
    return not all(np.allclose(old, new, rtol=0, atol=_UNMOVED) for old, new in pairs)


def _from_marked(
    session: Session, marked: MarkedLevel, reader: str, level: StudyLevel, scene: MarkedScene
) -> ReadSubmission:
    if marked.diagnosis is None:
        raise InputError(f"The ROI of {marked.level} has no class: name it like '{marked.level} malignant'.")
    flat, first, last = scene.frame.box_to_pixel(marked.box)
    return ReadSubmission(
        level_id=level.id,
        reader=reader,
        mode=read_mode(session, level, reader),
        diagnosis=marked.diagnosis,
        features=frozenset(),
        confidence=UNSTATED_CONFIDENCE,
        seconds=0.0,
        token=uuid.uuid4().hex,
        name_given=marked.level,
        box=DrawnBox(scene.series_uid, (first + last) // 2, flat),
    )


def _by_place(levels: Sequence[StudyLevel], marked: MarkedLevel) -> StudyLevel:
    """The level where the ROI lies, whatever its name: a reader may have corrected the numbering."""
    centre = marked.box.centre
    found = level_at(levels, lambda level: level.box.in_plane_mm(centre) / float(level.box.size[1]))
    if found is None:
        raise NotFoundError(f"No vertebra was found where the ROI of {marked.level} lies: move it onto one.")
    return found


def _stored(session: Session, submission: ReadSubmission, protocol: ProtocolConfig) -> KeptRead:
    read = submit_read(session, submission)
    queue_reports(session, read.level, protocol)
    release(session, read.level_id, Seat(submission.reader, MONAI_LABEL_TAB))
    return KeptRead(read.id, read.level_id, read.name_given, read.diagnosis)
