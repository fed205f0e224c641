"""Levels keep their identity, their reads and their history from one reading to the next."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from made_cohort import SURE, answer, ingested, reading
from sqlalchemy import func, select

from spine_fracture.anatomy import Level
from spine_fracture.cohort.levels import find_level, slices_to_open, store_reading
from spine_fracture.cohort.models import LevelSlice, Prediction, Study, StudyLevel
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.reads import submit_read
from spine_fracture.cohort.records import AuditEvent
from spine_fracture.errors import InputError, NotFoundError
from spine_fracture.geometry import PixelBox

NAMES = (Level.L1, Level.L2, Level.L3)


@pytest.fixture
def study(project: Project, pictures: Path) -> str:
    return ingested(project, "p1", pictures)


def store(project: Project, study: str, **changes: object) -> list[tuple[int, Level, int]]:
    """Store a reading; (id, name, version) of its levels in order."""
    with project.transaction() as session:
        levels = store_reading(session, reading(session, study, **changes))  # type: ignore[arg-type]
        return [(level.id, level.name, level.version) for level in levels]


def test_everything_of_a_reading_is_kept(project: Project, study: str) -> None:
    first = store(project, study)[0][0]
    with project.session() as session:
        wanted = reading(session, study)
        level = find_level(session, first)
        assert (level.name, level.version, level.current) == (Level.L1, 1, True)
        assert level.box.centre == pytest.approx(wanted.levels[0].box.centre)
        assert level.box.axes == pytest.approx(wanted.levels[0].box.axes)
        assert {s.series.uid for s in level.slices} == {s.series_uid for s in wanted.levels[0].slices}
        assert all(s.box == wanted.levels[0].slices[0].box for s in level.slices)
        prediction = level.predictions[0]
        assert prediction.probabilities == pytest.approx(wanted.levels[0].probabilities)
        assert prediction.uncertainty == SURE
        assert prediction.created.utcoffset() is not None
        found = session.scalars(select(Study)).one()
        assert (found.residual_px, found.registered, found.numbering_sure) == (0.4, False, True)


def test_storing_twice_changes_nothing(project: Project, study: str) -> None:
    before = store(project, study)
    assert store(project, study) == before
    with project.session() as session:
        assert session.scalar(select(func.count(Prediction.id))) == 3
        read = select(func.count(AuditEvent.id)).where(AuditEvent.action == "study.read")
        assert session.scalar(read) == 1


def test_a_new_model_adds_predictions_to_the_same_levels(project: Project, study: str) -> None:
    before = store(project, study)
    assert store(project, study, classifier="classifier-2", malignant=0.6) == before
    with project.session() as session:
        level = find_level(session, before[0][0])
        assert [p.classifier_version for p in level.predictions] == ["classifier-1", "classifier-2"]


def test_a_box_that_moved_a_little_is_the_same_level_in_a_new_version(project: Project, study: str) -> None:
    before = store(project, study)
    after = store(project, study, moved=3.0)
    assert [(i, name) for i, name, _ in after] == [(i, name) for i, name, _ in before]
    assert [version for _, _, version in after] == [2, 2, 2]


def test_a_renamed_vertebra_keeps_its_row_and_reads(project: Project, study: str) -> None:
    before = store(project, study)
    with project.transaction() as session:
        submit_read(session, answer(before[1][0]))
    renamed = store(project, study, names=(Level.T12, Level.L1, Level.L2))
    assert [i for i, _, _ in renamed] == [i for i, _, _ in before]
    with project.session() as session:
        level = find_level(session, before[1][0])
        assert (level.name, level.reads[0].name_given) == (Level.L1, Level.L2)


def test_a_level_that_is_no_longer_found_stays_but_is_not_current(project: Project, study: str) -> None:
    ids = [i for i, _, _ in store(project, study)]
    store(project, study, names=NAMES[:2])
    with project.session() as session:
        current = {level.id: level.current for level in session.scalars(select(StudyLevel))}
    assert current == {ids[0]: True, ids[1]: True, ids[2]: False}
    assert [i for i, _, _ in store(project, study)] == ids


def test_what_the_catalogue_does_not_know(project: Project, study: str) -> None:
    with project.session() as session:
        with pytest.raises(NotFoundError, match="no study"):
            store_reading(session, replace(reading(session, study), study_uid="1.2"))
        with pytest.raises(NotFoundError, match="no level"):
            find_level(session, 99)
        strange = reading(session, study)
        slices = (replace(strange.levels[0].slices[0], series_uid="1.2"),)
        levels = (replace(strange.levels[0], slices=slices),)
        with pytest.raises(InputError, match="series that the study does not have"):
            store_reading(session, replace(strange, levels=levels))


def test_reading_begins_in_the_middle_of_the_body() -> None:
    """Not on a lateral slice that was found better by a hair, nor where it was hardly found."""
    scores = {2: 0.3, 3: 0.80, 4: 0.82, 5: 0.81, 6: 0.83, 7: 0.84, 8: 0.4}
    box = PixelBox(1, 1, 2, 2)
    t2 = [LevelSlice(series_id=1, slice_index=i, box=box, score=score) for i, score in scores.items()]
    t1 = [LevelSlice(series_id=2, slice_index=9, box=box, score=0.2)]
    assert [part.slice_index for part in slices_to_open([*reversed(t2), *t1])] == [5, 9]
