"""What a reader does to the levels of a study: draw one, remove one, move all names by one.

What a reader did stays: no later reading by the models undoes it (:func:`.levels.store_reading`).
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from spine_fracture.anatomy import Level, spine
from spine_fracture.cohort.audit import record
from spine_fracture.cohort.columns import now
from spine_fracture.cohort.desk import Lease
from spine_fracture.cohort.leases import active
from spine_fracture.cohort.levels import SAME_PLACE, apart, find_level, moved_name, new_level, outline
from spine_fracture.cohort.models import LevelSource, StudyLevel
from spine_fracture.cohort.placing import place
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.reads import DrawnBox, renamed_read, standing_reads, submit_read
from spine_fracture.cohort.states import ReadState
from spine_fracture.cohort.studies import find_study
from spine_fracture.errors import ConflictError, InputError
from spine_fracture.geometry import PatientBox


def draw_level(project: Project, study_uid: str, name: Level, drawn: DrawnBox, reader: str) -> int:
    """A level that the models missed; returns its id.

    The box counts on its slice and the two beside it, and where the study's other sequence shows
    the same place. Reads the pictures first and then writes in a transaction of its own.
    Raises :class:`ConflictError` when the study has a level of this name or at this place,
    :class:`InputError` for a box outside the picture.
    """
    with project.session() as session:
        box, slices = place(session, study_uid, drawn)
    with project.transaction() as session:
        study = find_study(session, study_uid)
        # Two who draw in one study go one after the other.
        session.refresh(study, with_for_update=True)
        _require_free(study.levels, name, box)
        level = new_level(study, name, box, LevelSource.READER)
        outline(level, name, box, slices, numbering_sure=True)
        level.edited_by = reader
        session.flush()
        _record(session, "level.drawn", level, reader)
        return level.id


def remove_level(session: Session, level_id: int, reader: str) -> StudyLevel:
    """No vertebra after all: the level is no longer current; its reads are kept and no longer teach."""
    level = find_level(session, level_id)
    session.refresh(level, with_for_update=True)
    if level.current:
        level.current, level.edited_by = False, reader
        level.version += 1
        for lease in session.scalars(select(Lease).where(Lease.level_id == level_id, active())):
            lease.ended = now()
        _record(session, "level.removed", level, reader)
    return level


def restore_level(session: Session, level_id: int, reader: str) -> StudyLevel:
    """A level that this reader removed is part of its study again.

    Raises :class:`ConflictError` when somebody else removed it, or when the study has a level of its
    name or at its place by now.
    """
    level = find_level(session, level_id)
    study = level.study
    session.refresh(study, with_for_update=True)
    session.refresh(level, with_for_update=True)
    if level.current:
        return level
    if level.edited_by != reader:
        raise ConflictError("You did not remove this level: ask who did.")
    _require_free(study.levels, level.name, level.box)
    level.current = True
    level.version += 1
    session.flush()
    _record(session, "level.restored", level, reader)
    return level


def shift_names(session: Session, study_uid: str, by: int, reader: str) -> tuple[StudyLevel, ...]:
    """Move every name of the study by one: ``by`` 1 is up (L2 becomes L1), -1 is down.

    A T13 or L6 that the study has is one of the places. Standing reads of this reader that had the
    old names are replaced by ones that have the new; reads of others stay as they were given.
    Raises :class:`InputError` where there is no name to go to; then nothing is changed.
    """
    if by not in (1, -1):
        raise InputError("Names move up or down by one at a time.")
    study = find_study(session, study_uid)
    for level in study.levels:
        session.refresh(level, with_for_update=True)
    levels = _current(study.levels)
    present = {level.name for level in levels}
    column = spine(thirteen_thoracic=Level.T13 in present, six_lumbar=Level.L6 in present)
    renamed = [(level, _moved(level.name, by, column)) for level in levels]
    for level, name in renamed:
        own = [r for r in standing_reads(level, reader) if r.name_given is level.name]
        level.name, level.edited_by, level.numbering_sure = name, reader, True
        level.version += 1
        session.flush()
        for read in own:
            if read.state is ReadState.SUBMITTED:
                submit_read(session, renamed_read(read, name))
    session.flush()
    details: dict[str, object] = {"by": by, "levels": [f"{level.id}:{level.name}" for level in levels]}
    record(session, "study.renamed", f"study:{study.id}", actor=reader, details=details)
    return tuple(levels)


def _current(levels: Sequence[StudyLevel]) -> list[StudyLevel]:
    """The levels that readers read, head to foot: outlines given with the data are not theirs to change."""
    kept = [level for level in levels if level.current and level.source is not LevelSource.REFERENCE]
    return sorted(kept, key=lambda level: (level.name.order, level.id))


def _require_free(levels: Sequence[StudyLevel], name: Level, box: PatientBox) -> None:
    for known in _current(levels):
        if known.name is name:
            raise ConflictError(
                f"This study has its {name} already: remove that one, move the names, or choose another."
            )
        if apart(known.box, box) < SAME_PLACE:
            raise ConflictError(f"{known.name} is outlined here already: drag its corners instead.")


def _moved(name: Level, by: int, column: tuple[Level, ...]) -> Level:
    moved = moved_name(name, -by, column)
    if moved is None:
        end = "above" if by > 0 else "below"
        raise InputError(
            f"There is no name {end} {name}: give the levels their names one by one as you read them."
        )
    return moved


def _record(session: Session, action: str, level: StudyLevel, reader: str) -> None:
    details: dict[str, object] = {"name": level.name.value, "version": level.version}
    record(session, action, f"level:{level.id}", actor=reader, details=details)
