"""A reader passes a level over, with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from read_cohort import read_study
from sqlalchemy import select

from spine_fracture.cohort.desk import Skip, SkipReason
from spine_fracture.cohort.models import StudyLevel
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.records import AuditEvent
from spine_fracture.cohort.skips import skip_level, skipped_by
from spine_fracture.errors import InputError, NotFoundError


def test_the_last_reason_counts(project: Project, pictures: Path) -> None:
    first, second, _ = read_study(project, pictures).levels
    with project.transaction() as session:
        skip_level(session, first, "ann", SkipReason.POOR_QUALITY)
        skip_level(session, first, "ann", SkipReason.OTHER, "metal")
        skip_level(session, second, "bob", SkipReason.CANNOT_DECIDE)
    with project.session() as session:
        kept = [(s.reader, s.reason, s.note) for s in session.scalars(select(Skip).order_by(Skip.id))]
        assert kept == [("ann", SkipReason.OTHER, "metal"), ("bob", SkipReason.CANNOT_DECIDE, "")]
        assert session.scalars(select(StudyLevel.id).where(skipped_by("ann"))).all() == [first]
        events = session.scalars(select(AuditEvent).where(AuditEvent.action == "level.skipped")).all()
        assert [event.actor for event in events] == ["ann", "ann", "bob"]


def test_what_is_no_skip(project: Project, pictures: Path) -> None:
    first = read_study(project, pictures).levels[0]
    with project.transaction() as session:
        with pytest.raises(InputError, match="Say in the note"):
            skip_level(session, first, "ann", SkipReason.OTHER, " ")
        with pytest.raises(InputError, match="shorten it"):
            skip_level(session, first, "ann", SkipReason.POOR_QUALITY, "x" * 2001)
        with pytest.raises(NotFoundError):
            skip_level(session, 99, "ann", SkipReason.POOR_QUALITY)
