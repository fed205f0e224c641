"""What readers do to the levels of a study: draw one, remove one, move all names by one."""

from __future__ import annotations

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from spine_fracture.cohort.desk import Lease
from spine_fracture.cohort.leases import active
from spine_fracture.cohort.levels import find_level
from spine_fracture.cohort.models import Study, StudyLevel
from spine_fracture.cohort.outlines import draw_level, remove_level, restore_level, shift_names
from spine_fracture.cohort.people import Role
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.protocol import ProtocolConfig
from spine_fracture.cohort.reads import standing_reads
from spine_fracture.cohort.studies import find_study
from spine_fracture.errors import ConflictError
from spine_fracture.server.auth import Principal
from spine_fracture.server.reports.outbox import queue_reports
from spine_fracture.server.review.answers import LevelView
from spine_fracture.server.review.forms import DrawForm, ShiftForm, TabForm
from spine_fracture.server.review.screen import Screen
from spine_fracture.server.review.task import levels_of, load_study


class Outlining:
    """Changes the levels of a study for its readers; each answer is all levels as they are now."""

    def __init__(self, project: Project, protocol: ProtocolConfig, screen: Screen) -> None:
        self._project = project
        self._screen = screen
        self._protocol = protocol

    def draw(self, who: Principal, form: DrawForm) -> tuple[LevelView, ...]:
        """Raises :class:`ConflictError` when there is such a level, :class:`InputError` for a wrong box."""
        who.needs(Role.READER, Role.ADJUDICATOR)
        with self._project.session() as session:
            drawn = self._screen.drawn(find_study(session, form.study), form)
        draw_level(self._project, form.study, form.name, drawn, who.id)
        return self._levels(form.study)

    def remove(self, who: Principal, level_id: int, form: TabForm) -> tuple[LevelView, ...]:
        """Raises :class:`ConflictError` for a level that lies before another reader, or that one has read.

        What others have read only an adjudicator removes.
        """
        who.needs(Role.READER, Role.ADJUDICATOR)
        with self._project.transaction() as session:
            level = find_level(session, level_id)
            _not_before_others(session, StudyLevel.id == level_id, who.id)
            others = any(read.reader != who.id for read in standing_reads(level))
            if others and not who.may(Role.ADJUDICATOR):
                raise ConflictError("Another reader has read this level: only an adjudicator removes it now.")
            level = remove_level(session, level_id, who.id)
            queue_reports(session, level, self._protocol)
            study_uid = level.study.uid
        return self._levels(study_uid)

    def restore(self, who: Principal, level_id: int, form: TabForm) -> tuple[LevelView, ...]:
        """Take a removal back; raises :class:`ConflictError` when another did it or the place is taken."""
        who.needs(Role.READER, Role.ADJUDICATOR)
        with self._project.transaction() as session:
            level = restore_level(session, level_id, who.id)
            queue_reports(session, level, self._protocol)
            study_uid = level.study.uid
        return self._levels(study_uid)

    def shift(self, who: Principal, study_uid: str, form: ShiftForm) -> tuple[LevelView, ...]:
        """Raises :class:`InputError` where there is no name to go to, :class:`ConflictError` while another
        reader has a level of the study, or when its names were changed since this one saw them.
        """
        who.needs(Role.READER, Role.ADJUDICATOR)
        with self._project.transaction() as session:
            seen = find_level(session, form.level_id)
            if (seen.study.uid, seen.version) != (study_uid, form.level_version):
                raise ConflictError("The levels of this study were changed meanwhile: look at them again.")
            _not_before_others(session, Study.uid == study_uid, who.id)
            for level in shift_names(session, study_uid, form.by, who.id):
                queue_reports(session, level, self._protocol)
        return self._levels(study_uid)

    def _levels(self, study_uid: str) -> tuple[LevelView, ...]:
        with self._project.session() as session:
            return levels_of(load_study(session, study_uid), self._screen)


def _not_before_others(session: Session, where: ColumnElement[bool], reader: str) -> None:
    held = select(Lease.id).join(StudyLevel, Lease.level_id == StudyLevel.id)
    held = held.join(Study, StudyLevel.study_id == Study.id).where(where, active(), Lease.reader != reader)
    if session.scalar(held.limit(1)) is not None:
        raise ConflictError(
            "Another reader has this level or one beside it just now: nothing changes under their eyes."
        )
