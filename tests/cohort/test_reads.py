"""Reads: validated, kept whole, independent of one another, and safe once acknowledged."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from made_cohort import answer, ingested, reading
from sqlalchemy import select

from spine_fracture.anatomy import Diagnosis, Feature, Level
from spine_fracture.cohort.levels import find_level, store_reading
from spine_fracture.cohort.models import Read, ReadMode
from spine_fracture.cohort.project import Project, open_project
from spine_fracture.cohort.reads import (
    DrawnBox,
    evaluates,
    standing_reads,
    submit_read,
    trains,
    withdraw_read,
)
from spine_fracture.cohort.records import AuditEvent
from spine_fracture.cohort.splits import Split, split_of
from spine_fracture.cohort.states import READ_TABLE, ReadEvent, ReadState, after
from spine_fracture.dicom.write import uid_from
from spine_fracture.errors import ConflictError, InputError, NotFoundError
from spine_fracture.geometry import PixelBox
from spine_fracture.imaging import Sequence

PATIENT = "phantom-000000"


@pytest.fixture
def level_id(project: Project, pictures: Path) -> int:
    study = ingested(project, PATIENT, pictures)
    with project.transaction() as session:
        return store_reading(session, reading(session, study))[0].id


def submit(project: Project, *args: object, **changes: object) -> int:
    with project.transaction() as session:
        return submit_read(session, answer(*args, **changes)).id  # type: ignore[arg-type]


def states(project: Project) -> dict[str, ReadState]:
    with project.session() as session:
        return {read.token: read.state for read in session.scalars(select(Read))}


def test_a_read_is_kept_whole_with_its_audit_event(project: Project, level_id: int) -> None:
    drawn = DrawnBox(uid_from("series", PATIENT, Sequence.T2), 1, PixelBox(18, 9, 70, 30))
    read_id = submit(
        project,
        level_id,
        features=frozenset({Feature.NODULAR_LESION, Feature.NO_COLLAPSE}),
        note="round",
        name_given=Level.T12,
        box=drawn,
        level_version=1,
    )
    with project.session() as session:
        read = session.scalars(select(Read)).one()
        assert (read.state, read.diagnosis, read.mode) == (
            ReadState.SUBMITTED,
            Diagnosis.MALIGNANT,
            ReadMode.BLINDED,
        )
        assert read.features == {Feature.NODULAR_LESION, Feature.NO_COLLAPSE}
        assert (read.confidence, read.seconds, read.note, read.name_given) == (4, 31.5, "round", Level.T12)
        # What lies beyond the picture of 64 columns is cut off.
        assert read.box == PixelBox(18, 9, 64, 30) and read.series is not None
        event = session.scalars(select(AuditEvent).where(AuditEvent.action == "read.submitted")).one()
        assert (event.actor, event.subject) == ("reader-1", f"read:{read_id}")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"confidence": 0}, "1 to 5"),
        ({"confidence": 6}, "1 to 5"),
        ({"seconds": -1.0}, "time spent"),
        ({"seconds": float("nan")}, "time spent"),
        ({"reader": " "}, "reader"),
        ({"token": ""}, "token"),
        ({"note": "x" * 2001}, "note"),
        ({"features": frozenset({Feature.NO_COLLAPSE, Feature.ANTERIOR_WEDGE})}, "absence of collapse"),
    ],
)
def test_a_read_that_cannot_be(changes: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        answer(1, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("box", "error"),
    [
        (DrawnBox("1.2.3", 1, PixelBox(1, 1, 9, 9)), NotFoundError),
        (DrawnBox(uid_from("series", PATIENT, Sequence.T1), 3, PixelBox(1, 1, 9, 9)), InputError),
        (DrawnBox(uid_from("series", PATIENT, Sequence.T1), 0, PixelBox(64, 1, 99, 9)), InputError),
        (DrawnBox(uid_from("series", PATIENT, Sequence.T1), 0, PixelBox(1, 1, 9, 9), "1.2"), NotFoundError),
    ],
)
def test_a_box_that_is_not_in_the_study(
    project: Project, level_id: int, box: DrawnBox, error: type[Exception]
) -> None:
    with pytest.raises(error):
        submit(project, level_id, box=box)
    assert states(project) == {}


def test_a_level_that_does_not_exist(project: Project) -> None:
    with pytest.raises(NotFoundError, match="no level 77"):
        submit(project, 77)


def test_sending_twice_stores_once(project: Project, level_id: int) -> None:
    assert submit(project, level_id) == submit(project, level_id)
    with pytest.raises(ConflictError, match="token"):
        submit(project, level_id, diagnosis=Diagnosis.NORMAL)


def test_a_later_read_supersedes_and_undo_brings_the_earlier_back(project: Project, level_id: int) -> None:
    submit(project, level_id, "a")
    second = submit(project, level_id, "b", diagnosis=Diagnosis.NORMAL)
    assert states(project) == {"a": ReadState.SUPERSEDED, "b": ReadState.SUBMITTED}
    for _ in range(2):
        with project.transaction() as session:
            withdraw_read(session, second, "reader-1")
    assert states(project) == {"a": ReadState.SUBMITTED, "b": ReadState.WITHDRAWN}
    with project.transaction() as session, pytest.raises(NotFoundError):
        withdraw_read(session, second, "somebody else")


def test_an_adjudicated_read_is_not_replaced(project: Project, level_id: int) -> None:
    submit(project, level_id, "a")
    with project.transaction() as session:
        read = session.scalars(select(Read)).one()
        read.state = after(READ_TABLE, read.state, ReadEvent.ADJUDICATE)
    with pytest.raises(ConflictError, match="adjudicated"):
        submit(project, level_id, "b")
    assert states(project) == {"a": ReadState.ADJUDICATED}


def test_every_other_event_is_an_error() -> None:
    for state in ReadState:
        for event in ReadEvent:
            if (state, event) not in READ_TABLE:
                with pytest.raises(ConflictError, match=f"{state} cannot {event}"):
                    after(READ_TABLE, state, event)


def test_a_level_that_changed_meanwhile_is_a_conflict(project: Project, level_id: int) -> None:
    with project.transaction() as session:
        store_reading(session, reading(session, uid_from("study", PATIENT), moved=2.0))
    with pytest.raises(ConflictError, match="changed while you were reading"):
        submit(project, level_id, level_version=1)
    submit(project, level_id, level_version=2)


def _at_once(tasks: list[Callable[[], object]]) -> list[Exception]:
    failures: list[Exception] = []
    start = threading.Barrier(len(tasks))

    def run(task: Callable[[], object]) -> None:
        start.wait()
        try:
            task()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


def test_readers_who_save_at_once_all_keep_their_reads(project: Project, level_id: int) -> None:
    def saver(reader: str) -> Callable[[], object]:
        other = open_project(project.home)
        return lambda: submit(other, level_id, reader=reader)

    assert _at_once([saver(f"reader-{n}") for n in range(6)]) == []
    with project.session() as session:
        readers = {read.reader for read in standing_reads(find_level(session, level_id))}
    assert readers == {f"reader-{n}" for n in range(6)}


def test_one_press_that_arrives_many_times_at_once(project: Project, level_id: int) -> None:
    assert _at_once([lambda: submit(project, level_id) for _ in range(6)]) == []
    assert states(project) == {"t1": ReadState.SUBMITTED}


_WRITER = """
import sys
from pathlib import Path
from made_cohort import answer
from spine_fracture.cohort.project import open_project
from spine_fracture.cohort.reads import submit_read
project = open_project(Path(sys.argv[1]))
with project.transaction() as session:
    submit_read(session, answer(int(sys.argv[2]), "acknowledged"))
session = project.transaction().__enter__()
submit_read(session, answer(int(sys.argv[2]), "never acknowledged", reader="reader-2"))
print("saved", flush=True)
sys.stdin.read()
"""


def test_an_acknowledged_read_survives_kill_9(project: Project, level_id: int) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(project.home), str(level_id)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    )
    assert writer.stdout is not None and writer.stdin is not None
    assert writer.stdout.readline() == "saved\n"
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdin.close()
    writer.stdout.close()
    assert states(open_project(project.home)) == {"acknowledged": ReadState.SUBMITTED}
    submit(project, level_id, "next", reader="reader-3")


@pytest.mark.parametrize(
    ("patient", "changes", "may_train", "may_judge"),
    [
        (Split.TRAIN, {"mode": ReadMode.ASSISTED}, True, False),
        (Split.TRAIN, {"diagnosis": Diagnosis.INDETERMINATE}, False, False),
        (Split.TEST, {}, False, True),
        (Split.TEST, {"mode": ReadMode.ASSISTED}, False, False),
        (Split.TEST, {"diagnosis": Diagnosis.INDETERMINATE}, False, False),
        (Split.VALIDATION, {}, False, True),
    ],
)
def test_which_reads_train_and_which_judge(
    project: Project,
    pictures: Path,
    patient: Split,
    changes: dict[str, object],
    may_train: bool,
    may_judge: bool,
) -> None:
    key = next(k for k in (f"phantom-{n:06d}" for n in range(99)) if split_of(k) is patient)
    study = ingested(project, key, pictures)
    with project.transaction() as session:
        level = store_reading(session, reading(session, study))[0]
        read = submit_read(session, answer(level.id, **changes))  # type: ignore[arg-type]
        assert (trains(read), evaluates(read)) == (may_train, may_judge)
        withdraw_read(session, read.id, "reader-1")
        assert not trains(read) and not evaluates(read)
