"""Levels that readers drew, removed and renamed stay as the readers left them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from made_cohort import reading
from read_cohort import ReadStudy, read_study
from sqlalchemy import select
from sqlalchemy.orm import Session

from spine_fracture.anatomy import Basis, Diagnosis, Level
from spine_fracture.cohort.desk import WorkList
from spine_fracture.cohort.leases import Seat, held, take
from spine_fracture.cohort.levels import find_level, store_reading
from spine_fracture.cohort.models import LevelSource, ReadMode, StudyLevel
from spine_fracture.cohort.outlines import draw_level, remove_level, restore_level, shift_names
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.reads import DrawnBox, standing_reads
from spine_fracture.cohort.records import AuditEvent
from spine_fracture.cohort.states import ReadState
from spine_fracture.cohort.studies import load_pair
from spine_fracture.errors import ConflictError, InputError, NotFoundError
from spine_fracture.geometry import PixelBox

#: The place of the third level that the models find when they find one.
THIRD = PixelBox(21.0, 60.0, 44.0, 78.0)
FREE = PixelBox(20.0, 82.0, 44.0, 95.0)


@pytest.fixture
def study(project: Project, pictures: Path) -> ReadStudy:
    return read_study(project, pictures)


def draw(study: ReadStudy, name: Level, box: PixelBox, reader: str = "ann") -> int:
    with study.project.session() as session:
        uid = load_pair(session, study.uid).reference.series_uid
    return draw_level(study.project, study.uid, name, DrawnBox(uid, 1, box), reader)


def remove(study: ReadStudy, level_id: int) -> None:
    with study.project.transaction() as session:
        remove_level(session, level_id, "ann")


def shift(study: ReadStudy, by: int, reader: str = "ann") -> list[Level]:
    with study.project.transaction() as session:
        return [level.name for level in shift_names(session, study.uid, by, reader)]


def read_again(study: ReadStudy, *names: Level, **changes: object) -> list[int]:
    """The models read the study once more; ids of its levels in the reading's order."""
    with study.project.transaction() as session:
        found = reading(session, study.uid, names=names, **changes)  # type: ignore[arg-type]
        return [level.id for level in store_reading(session, found)]


def current(session: Session) -> dict[Level, StudyLevel]:
    return {level.name: level for level in session.scalars(select(StudyLevel)) if level.current}


def test_a_drawn_level_is_kept_with_its_boxes(study: ReadStudy) -> None:
    level_id = draw(study, Level.L4, FREE)
    with study.project.session() as session:
        level = find_level(session, level_id)
        assert (level.name, level.source, level.edited_by) == (Level.L4, LevelSource.READER, "ann")
        assert (level.version, level.current, level.numbering_sure) == (1, True, True)
        assert len(level.slices) == 6 and {s.box.as_tuple() for s in level.slices} == {FREE.as_tuple()}
        assert len({s.series.uid for s in level.slices}) == 2 and level.predictions == []
        event = session.scalars(select(AuditEvent).where(AuditEvent.action == "level.drawn")).one()
        assert (event.actor, event.subject) == ("ann", f"level:{level_id}")
    study.read("bob", 0, level_id=level_id, token="of the drawn one")


def test_what_cannot_be_drawn(study: ReadStudy) -> None:
    with pytest.raises(ConflictError, match="has its L2 already"):
        draw(study, Level.L2, FREE)
    with pytest.raises(ConflictError, match="L3 is outlined here already: drag its corners"):
        draw(study, Level.L4, THIRD)
    with pytest.raises(InputError, match="outside the picture"):
        draw(study, Level.L4, FREE.shifted(0, 80))
    with pytest.raises(NotFoundError, match="no study"):
        draw_level(study.project, "1.2", Level.L4, DrawnBox("1.2", 1, FREE), "ann")


def test_of_two_who_draw_the_same_vertebra_one_is_told(study: ReadStudy) -> None:
    def attempt(reader: str) -> bool:
        try:
            draw(study, Level.L4, FREE, reader)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(attempt, ["ann", "bob"])) == [False, True]


def test_removing_keeps_the_reads_and_frees_who_reads_it(study: ReadStudy) -> None:
    first = study.levels[0]
    study.read("bob")
    seat = Seat("cat", "t")
    with study.project.transaction() as session:
        take(
            session,
            first,
            seat,
            mode=ReadMode.BLINDED,
            work_list=WorkList.BLINDED,
            reason="",
            score=None,
            seconds=900,
        )
    remove(study, first)
    remove(study, first)
    with study.project.session() as session:
        level = find_level(session, first)
        assert (level.current, level.edited_by, level.version) == (False, "ann", 2)
        assert [read.reader for read in standing_reads(level)] == ["bob"]
        assert held(session, seat) is None


def test_no_reading_undoes_what_a_reader_did(study: ReadStudy) -> None:
    removed, renamed = study.levels[0], study.levels[1]
    remove(study, removed)
    assert shift(study, -1) == [Level.L3, Level.L4]
    drawn = draw(study, Level.L5, FREE)
    with study.project.session() as session:
        before = find_level(session, renamed).slices[0].box

    again = read_again(study, Level.L1, Level.L2, Level.L3, moved=3.0, classifier="classifier-2")

    assert again == list(study.levels)
    with study.project.session() as session:
        assert {name: level.id for name, level in current(session).items()} == {
            Level.L3: renamed,
            Level.L4: study.levels[2],
            Level.L5: drawn,
        }
        assert find_level(session, renamed).slices[0].box == before
        for level_id in study.levels:
            versions = [p.classifier_version for p in find_level(session, level_id).predictions]
            assert versions == ["classifier-1", "classifier-2"]


def test_a_drawn_level_that_the_models_find_too_is_one_level(project: Project, pictures: Path) -> None:
    study = read_study(project, pictures)
    remove(study, study.levels[2])
    drawn = draw(study, Level.L4, THIRD)
    assert read_again(study, Level.L1, Level.L2, Level.L3, classifier="classifier-2")[2] == drawn
    with study.project.session() as session:
        level = find_level(session, drawn)
        assert (level.name, level.source, len(level.predictions)) == (Level.L4, LevelSource.READER, 1)
        assert len(current(session)) == 3


def test_a_new_level_is_named_to_fit_names_that_were_moved(project: Project, pictures: Path) -> None:
    study = read_study(project, pictures)
    with project.transaction() as session:
        find_level(session, study.levels[2]).current = False
        for part in find_level(session, study.levels[2]).slices:
            part.box = part.box.shifted(0, 200)
        box = find_level(session, study.levels[2]).box
        find_level(session, study.levels[2]).box = type(box)(box.centre + 500, box.size, box.axes)
    assert shift(study, 1) == [Level.T12, Level.L1]
    third = read_again(study, Level.L1, Level.L2, Level.L3)[2]
    assert third not in study.levels
    with study.project.session() as session:
        assert sorted(current(session)) == sorted([Level.T12, Level.L1, Level.L2])


def test_names_move_up_and_down_and_own_reads_with_them(study: ReadStudy) -> None:
    read = study.read("ann", basis=Basis.BIOPSY, note="a note")
    study.read("bob")
    corrected = study.read("ann", 1, name_given=Level.L5)
    assert shift(study, 1) == [Level.T12, Level.L1, Level.L2]
    with study.project.session() as session:
        level = find_level(session, study.levels[0])
        assert (level.version, level.edited_by) == (2, "ann")
        by_reader = {r.reader: r for r in standing_reads(level)}
        mine = by_reader["ann"]
        assert (mine.name_given, mine.replaces_id, by_reader["bob"].name_given) == (
            Level.T12,
            read,
            Level.L1,
        )
        assert (mine.basis, mine.note, mine.diagnosis) == (Basis.BIOPSY, "a note", Diagnosis.MALIGNANT)
        (second,) = standing_reads(find_level(session, study.levels[1]))
        assert (second.id, second.state) == (corrected, ReadState.SUBMITTED)
        event = session.scalars(select(AuditEvent).where(AuditEvent.action == "study.renamed")).one()
        assert event.actor == "ann" and event.details["by"] == 1
    assert shift(study, -1) == [Level.L1, Level.L2, Level.L3]


@pytest.mark.parametrize(
    ("names", "by", "wanted"),
    [
        ((Level.C1, Level.C2, Level.C3), -1, (Level.C2, Level.C3, Level.C4)),
        ((Level.L4, Level.L5, Level.S1), 1, (Level.L3, Level.L4, Level.L5)),
        ((Level.L5, Level.L6, Level.S1), 1, (Level.L4, Level.L5, Level.L6)),
        ((Level.L4, Level.L5, Level.L6), -1, (Level.L5, Level.L6, Level.S1)),
        ((Level.T12, Level.T13, Level.L1), 1, (Level.T11, Level.T12, Level.T13)),
        ((Level.T12, Level.T13, Level.L1), -1, (Level.T13, Level.L1, Level.L2)),
        ((Level.C7, Level.T1, Level.T2), 1, (Level.C6, Level.C7, Level.T1)),
    ],
)
def test_names_move_along_the_spine_that_the_study_has(
    study: ReadStudy, names: tuple[Level, ...], by: int, wanted: tuple[Level, ...]
) -> None:
    read_again(study, *names)
    assert shift(study, by) == list(wanted)


@pytest.mark.parametrize(
    ("names", "by", "end"),
    [
        ((Level.C1, Level.C2, Level.C3), 1, "above C1"),
        ((Level.L4, Level.L5, Level.S1), -1, "below S1"),
        ((Level.L5, Level.L6, Level.S1), -1, "below S1"),
        ((Level.L1, Level.L2, Level.L3), 2, "one at a time"),
    ],
)
def test_beyond_the_ends_there_are_no_names(
    study: ReadStudy, names: tuple[Level, ...], by: int, end: str
) -> None:
    read_again(study, *names)
    with pytest.raises(InputError, match=end):
        shift(study, by)
    with study.project.session() as session:
        assert set(current(session)) == set(names)
        assert all(level.edited_by is None for level in current(session).values())


def test_a_removed_level_comes_back_where_its_place_is_free(study: ReadStudy) -> None:
    third = study.levels[2]

    def restore(reader: str = "ann") -> None:
        with study.project.transaction() as session:
            restore_level(session, third, reader)

    remove(study, third)
    with pytest.raises(ConflictError, match="did not remove"):
        restore("bob")
    restore()
    restore()
    with study.project.session() as session:
        level = find_level(session, third)
        assert (level.current, level.version, level.name) == (True, 3, Level.L3)
        assert session.scalars(select(AuditEvent).where(AuditEvent.action == "level.restored")).one()
    remove(study, third)
    draw(study, Level.L4, THIRD)
    with pytest.raises(ConflictError, match="outlined here already"):
        restore()
