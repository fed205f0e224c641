"""Snapshots: one content, one hash; training and judging reads never mix; nothing changes later."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from made_cohort import answer, ingested, reading
from sqlalchemy import Connection, event, func, select

from spine_fracture.anatomy import Diagnosis
from spine_fracture.cohort.levels import find_level, store_reading
from spine_fracture.cohort.overview import count_levels
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.reads import submit_read, withdraw_read
from spine_fracture.cohort.records import Snapshot
from spine_fracture.cohort.snapshots import find_snapshot, freeze, read_snapshot
from spine_fracture.cohort.splits import Split, split_of
from spine_fracture.errors import ConflictError, InsufficientEvidenceError, NotFoundError, StorageError

PATIENTS = {
    split: next(k for k in (f"phantom-{n:06d}" for n in range(99)) if split_of(k) is split) for split in Split
}


@pytest.fixture
def levels(project: Project, pictures: Path) -> dict[Split, int]:
    """The first level of one patient of each split, read once."""
    found = {}
    for split, key in PATIENTS.items():
        study = ingested(project, key, pictures)
        with project.transaction() as session:
            level = store_reading(session, reading(session, study))[0]
            submit_read(session, answer(level.id, f"token-{split}"))
            found[split] = level.id
    return found


def test_training_and_judging_reads_are_apart(project: Project, levels: dict[Split, int]) -> None:
    snapshot = freeze(project)
    content = read_snapshot(project)
    assert snapshot.name == "snapshot-0001"
    assert [read.patient for read in content.training] == [PATIENTS[Split.TRAIN]]
    assert {read.patient for read in content.evaluation} == {
        PATIENTS[Split.VALIDATION],
        PATIENTS[Split.TEST],
    }
    read = content.training[0]
    assert (read.level_id, read.diagnosis, read.split) == (
        levels[Split.TRAIN],
        Diagnosis.MALIGNANT,
        Split.TRAIN,
    )
    assert {s.sequence.value for s in read.slices} == {"T1", "T2"} and read.slices[0].box[0] == 20.0


def test_of_a_level_in_dispute_nothing_is_taken(project: Project, levels: dict[Split, int]) -> None:
    """An indeterminate read says nothing definite itself, and yet that the other is not agreed on."""
    for split in (Split.TRAIN, Split.TEST):
        unsure = answer(levels[split], f"unsure-{split}", reader="reader-2")
        with project.transaction() as session:
            submit_read(session, replace(unsure, diagnosis=Diagnosis.INDETERMINATE))
    kept = answer(_second_level(project, levels[Split.TRAIN]), "kept")
    with project.transaction() as session:
        submit_read(session, kept)
    freeze(project)
    content = read_snapshot(project)
    assert [read.level_id for read in content.training] == [kept.level_id]
    assert [read.level_id for read in content.evaluation] == [levels[Split.VALIDATION]]
    assert content.disputed == tuple(sorted((levels[Split.TRAIN], levels[Split.TEST])))
    with project.session() as session:
        assert count_levels(session) == 2


def _second_level(project: Project, first: int) -> int:
    with project.session() as session:
        return find_level(session, first).study.levels[1].id


def test_nothing_new_gives_the_same_snapshot(project: Project, levels: dict[Split, int]) -> None:
    assert freeze(project).id == freeze(project).id
    with project.transaction() as session:
        submit_read(session, answer(levels[Split.TRAIN], "more", reader="reader-2"))
    second = freeze(project)
    assert second.name == "snapshot-0002"
    with project.session() as session:
        assert find_snapshot(session).id == second.id
        assert session.scalar(select(func.count(Snapshot.id))) == 2
    assert len(read_snapshot(project, "snapshot-0001").training) == 1
    assert len(read_snapshot(project).training) == 2


def asked(project: Project) -> list[tuple[bool, str]]:
    """What a snapshot asks of the database, and whether others who write wait for it."""
    found: list[tuple[bool, str]] = []

    def note(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        found.append(("begin" in connection.get_execution_options(), statement))

    event.listen(project.engine, "before_cursor_execute", note)
    try:
        freeze(project)
    finally:
        event.remove(project.engine, "before_cursor_execute", note)
    return found


def test_nobody_waits_while_the_reads_are_gathered_in_a_few_questions(
    project: Project, pictures: Path, levels: dict[Split, int]
) -> None:
    few = asked(project)
    assert not any("FROM read" in statement for is_writing, statement in few if is_writing)
    assert any(is_writing for is_writing, _ in few)
    more = [key for key in (f"phantom-{n:06d}" for n in range(99)) if key not in PATIENTS.values()][:3]
    for key in more:
        study = ingested(project, key, pictures)
        with project.transaction() as session:
            for level in store_reading(session, reading(session, study)):
                submit_read(session, answer(level.id, f"token-{level.id}"))
    many = asked(project)
    content = read_snapshot(project)
    assert len(content.training) + len(content.evaluation) == 3 + 9
    assert len(many) == len(few)


def test_a_name_means_one_content_for_ever(project: Project, levels: dict[Split, int]) -> None:
    first = freeze(project, "paper")
    assert freeze(project, "paper").id == first.id
    with project.transaction() as session:
        submit_read(session, answer(levels[Split.TRAIN], "more", reader="reader-2"))
    with pytest.raises(ConflictError, match="taken"):
        freeze(project, "paper")
    with pytest.raises(ConflictError, match="latest"):
        freeze(project, "latest")


def test_a_number_that_somebody_took_by_hand_is_passed_over(
    project: Project, levels: dict[Split, int]
) -> None:
    freeze(project, "snapshot-0002")
    for number, name in enumerate(("snapshot-0003", "snapshot-0004")):
        with project.transaction() as session:
            submit_read(session, answer(levels[Split.TRAIN], "more", reader=f"another-{number}"))
        assert freeze(project).name == name


def test_a_changed_file_is_noticed(project: Project, levels: dict[Split, int]) -> None:
    path = project.snapshots_folder / f"{freeze(project).sha256}.json"
    path.write_bytes(path.read_bytes().replace(b"malignant", b"normal"))
    with pytest.raises(StorageError, match="changed"):
        read_snapshot(project)
    path.unlink()
    with pytest.raises(StorageError, match="cannot be read"):
        read_snapshot(project)


def test_without_reads_of_training_patients_there_is_nothing_to_freeze(
    project: Project, levels: dict[Split, int]
) -> None:
    with pytest.raises(NotFoundError, match="no snapshot"):
        read_snapshot(project)
    with project.transaction() as session:
        withdraw_read(session, 1, "reader-1")
    with pytest.raises(InsufficientEvidenceError, match="no read of a training patient"):
        freeze(project)
    assert not project.snapshots_folder.exists()
