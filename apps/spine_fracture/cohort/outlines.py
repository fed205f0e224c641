"""What a reader does to the levels of a study: draw one, remove one, move all names by one.

What a reader did stays: no later reading by the models undoes it (:func:`.levels.store_reading`).
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from spine_fracture.anatomy import Level
from spine_fracture.cohort.models import StudyLevel
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.reads import DrawnBox


def draw_level(project: Project, study_uid: str, name: Level, drawn: DrawnBox, reader: str) -> int:
    """A level that the models missed; returns its id.

    The box counts on its slice and the two beside it, and where the study's other sequence shows
    the same place. Reads the pictures first and then writes in a transaction of its own.
    Raises :class:`ConflictError` when the study has a level of this name or at this place,
    :class:`InputError` for a box outside the picture.
    """
    raise NotImplementedError


def remove_level(session: Session, level_id: int, reader: str) -> StudyLevel:
    """No vertebra after all: the level is no longer current; its reads are kept and no longer teach."""
    raise NotImplementedError


def shift_names(session: Session, study_uid: str, by: int, reader: str) -> tuple[StudyLevel, ...]:
    """Move every name of the study by one: ``by`` 1 is up (L2 becomes L1), -1 is down.

    Raises :class:`InputError` where there is no name to go to.
    """
    raise NotImplementedError
