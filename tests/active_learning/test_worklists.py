"""Work lists: what each gives to whom, never one level to two readers, nothing told in blinded ones."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest
from learning_catalogue import Catalogue
from sqlalchemy import select

from spine_fracture.active_learning.queue import BLINDED_REASON, QueueItem
from spine_fracture.active_learning.strategies import load_strategy
from spine_fracture.active_learning.worklists import (
    CHOSEN_REASON,
    DISPUTE_REASON,
    DRAWN_REASON,
    chosen_item,
    left_for,
    next_items,
    take_next,
)
from spine_fracture.anatomy import Diagnosis
from spine_fracture.cohort.adjudication import adjudicate
from spine_fracture.cohort.columns import now
from spine_fracture.cohort.desk import Lease, SkipReason, WorkList
from spine_fracture.cohort.leases import Seat, end_all, held
from spine_fracture.cohort.levels import find_level
from spine_fracture.cohort.models import LevelSource, ReadMode
from spine_fracture.cohort.project import Project, open_project
from spine_fracture.cohort.protocol import load_protocol
from spine_fracture.cohort.reads import ReadSubmission, submit_read, withdraw_read
from spine_fracture.cohort.shown import note_level_shown, note_study_shown
from spine_fracture.cohort.skips import skip_level
from spine_fracture.cohort.splits import Split

SINGLE, DOUBLE = load_protocol("single"), load_protocol("double")
STRATEGY = load_strategy("uncertainty")
NEVER_BLINDED = STRATEGY.model_copy(update={"blinded_training_one_in": 10**9})
ALWAYS_BLINDED = STRATEGY.model_copy(update={"blinded_training_one_in": 1})
FIVE = (0.9, 0.8, 0.7, 0.6, 0.5)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return open_project(tmp_path / "project")


@pytest.fixture
def add(project: Project) -> Callable[..., tuple[int, ...]]:
    """Adds a patient; returns the ids of the levels, head to foot."""
    catalogues: list[Catalogue] = []

    def patient(split: Split = Split.TRAIN, doubt: tuple[float, ...] = FIVE) -> tuple[int, ...]:
        with project.transaction() as session:
            if not catalogues:
                catalogues.append(Catalogue(session))
            catalogue = catalogues[0]
            catalogue.session = session
            catalogue.folder = session.merge(catalogue.folder)
            catalogue.centres = {name: session.merge(centre) for name, centre in catalogue.centres.items()}
            return tuple(level.id for level in catalogue.patient(split, doubt).levels)

    return patient


def submission(reader: str, level_id: int, **changes: object) -> ReadSubmission:
    given: dict[str, object] = {
        "mode": ReadMode.BLINDED,
        "diagnosis": Diagnosis.NORMAL,
        "features": frozenset(),
        "confidence": 4,
        "seconds": 12.0,
        "token": f"{reader}-{level_id}",
    }
    return ReadSubmission(level_id, reader, **(given | changes))  # type: ignore[arg-type]


def read(project: Project, reader: str, level_id: int, **changes: object) -> int:
    with project.transaction() as session:
        return submit_read(session, submission(reader, level_id, **changes)).id


def asked(
    project: Project,
    reader: str,
    work_list: WorkList = WorkList.ASSISTED,
    protocol: object = SINGLE,
    strategy: object = NEVER_BLINDED,
    count: int = 50,
) -> list[QueueItem]:
    with project.session() as session:
        return list(next_items(session, reader, work_list, protocol, strategy, count))  # type: ignore[arg-type]


def ids(items: list[QueueItem]) -> list[int]:
    return [item.level_id for item in items]


def take(project: Project, seat: Seat, work_list: WorkList = WorkList.ASSISTED) -> QueueItem | None:
    return take_next(project, seat, work_list, DOUBLE, NEVER_BLINDED)


@pytest.mark.parametrize("work_list", [WorkList.ASSISTED, WorkList.BLINDED, WorkList.SECOND])
def test_readers_who_ask_at_once_each_get_another_level(
    project: Project, add: Callable[..., tuple[int, ...]], work_list: WorkList
) -> None:
    levels = {*add(), *add(Split.TEST)}
    if work_list is WorkList.SECOND:
        for level_id in levels:
            read(project, "first reader", level_id)
    together = Barrier(12)

    def ask(number: int) -> int | None:
        together.wait()
        item = take(project, Seat(f"reader-{number}", "t"), work_list)
        return item.level_id if item else None

    with ThreadPoolExecutor(12) as pool:
        given = list(pool.map(ask, range(12)))
    served = [level_id for level_id in given if level_id is not None]
    assert sorted(served) == sorted(levels) and given.count(None) == 2
    with project.session() as session:
        assert len(session.scalars(select(Lease)).all()) == 10


def test_a_level_that_lies_before_somebody_comes_to_nobody_until_the_lease_ends(
    project: Project, add: Callable[..., tuple[int, ...]]
) -> None:
    first, second, *_ = add()
    ann, bob = Seat("ann", "t"), Seat("bob", "t")
    item = take(project, ann)
    assert item is not None and item.level_id == first
    assert first not in ids(asked(project, "bob")) + ids(asked(project, "ann"))
    with project.transaction() as session:
        assert left_for(session, "ann", WorkList.ASSISTED, SINGLE) == 5
        assert left_for(session, "bob", WorkList.ASSISTED, SINGLE) == 4
        lease = held(session, ann)
        assert lease is not None and (lease.score, lease.reason) == (item.uncertainty, item.reason)
        lease.expires = now() - timedelta(seconds=1)
    assert ids(asked(project, "bob"))[0] == first
    taken = take(project, bob)
    assert taken is not None and taken.level_id == first
    again = take(project, ann)
    assert again is not None and again.level_id == second
    with project.transaction() as session:
        end_all(session, bob)
    assert first in ids(asked(project, "cat"))


def test_what_comes_while_a_level_is_read_is_what_comes_after_it(
    project: Project, add: Callable[..., tuple[int, ...]]
) -> None:
    """What a viewer fetches ahead is what it is then given, also across the places of the blinded stream."""
    for _ in range(3):
        add()
        add(Split.TEST)
    seat = Seat("ann", "t")
    ahead: int | None = None
    for _ in range(15):
        item = take_next(project, seat, WorkList.ASSISTED, SINGLE, STRATEGY)
        assert item is not None and ahead in (None, item.level_id)
        (upcoming,) = asked(project, "ann", strategy=STRATEGY, count=1)
        ahead = upcoming.level_id
        read(project, "ann", item.level_id)


@pytest.mark.parametrize("passed_over", [False, True])
def test_a_patient_does_not_come_again_before_the_others_did(
    project: Project, add: Callable[..., tuple[int, ...]], passed_over: bool
) -> None:
    """Whoever takes one level after the other, as viewers do, gets two of a patient, then the others'."""
    first, second, *rest = add()
    (other,) = add(doubt=(0.1,))
    served = []
    while item := take_next(project, Seat("ann", "t"), WorkList.ASSISTED, SINGLE, NEVER_BLINDED):
        served.append(item.level_id)
        if passed_over:
            with project.transaction() as session:
                skip_level(session, item.level_id, "ann", SkipReason.POOR_QUALITY)
        else:
            read(project, "ann", item.level_id)
    assert served == [first, second, other, *rest]


def test_a_skipped_level_does_not_come_again_to_who_skipped_it(
    project: Project, add: Callable[..., tuple[int, ...]]
) -> None:
    first, second, *_ = add()
    with project.transaction() as session:
        skip_level(session, first, "ann", SkipReason.POOR_QUALITY)
        assert left_for(session, "ann", WorkList.ASSISTED, SINGLE) == 4
    assert ids(asked(project, "ann"))[0] == second
    assert ids(asked(project, "bob"))[0] == first


def test_a_read_taken_back_comes_again(project: Project, add: Callable[..., tuple[int, ...]]) -> None:
    first, *_ = add()
    earlier = read(project, "ann", first)
    later = read(project, "ann", first, token="second thoughts", diagnosis=Diagnosis.MALIGNANT)
    for read_id, comes in ((later, False), (earlier, True)):
        with project.transaction() as session:
            withdraw_read(session, read_id, "ann")
        assert (first in ids(asked(project, "ann"))) is comes
        assert (first in ids(asked(project, "bob"))) is comes


def test_the_blinded_list_tells_nothing(project: Project, add: Callable[..., tuple[int, ...]]) -> None:
    levels = {*add(), *add(Split.TEST), *add(Split.VALIDATION)}
    items = asked(project, "ann", WorkList.BLINDED)
    assert set(ids(items)) == levels
    assert {(i.mode, i.reason, i.uncertainty, i.work_list) for i in items} == {
        (ReadMode.BLINDED, BLINDED_REASON, None, WorkList.BLINDED)
    }


def test_who_was_shown_the_predictions_is_not_asked_to_read_blinded(
    project: Project, add: Callable[..., tuple[int, ...]]
) -> None:
    training, test = add(), add(Split.TEST)
    with project.transaction() as session:
        note_level_shown(session, training[0], "ann")
        study = find_level(session, test[0]).study.uid
    note_study_shown(project, study, "ann")
    modes = {i.level_id: i.mode for i in asked(project, "ann", strategy=ALWAYS_BLINDED)}
    assert set(modes) == set(training)
    assert modes.pop(training[0]) is ReadMode.ASSISTED and set(modes.values()) == {ReadMode.BLINDED}
    assert set(ids(asked(project, "ann", WorkList.BLINDED))) == set(training[1:])
    assert set(ids(asked(project, "bob", WorkList.BLINDED))) == {*training, *test}
    for level_id in (*training, *test):
        read(project, "bob", level_id)
    assert set(ids(asked(project, "ann", WorkList.SECOND, DOUBLE))) == set(training[1:])


def test_the_second_list_is_of_others_reads_in_their_order(
    project: Project, add: Callable[..., tuple[int, ...]]
) -> None:
    first, second, third, fourth, _ = add()
    (locked, helped, *_) = add(Split.TEST)
    for reader, level_id in (("bob", second), ("bob", locked), ("bob", first), ("ann", third)):
        read(project, reader, level_id)
    read(project, "bob", helped, mode=ReadMode.ASSISTED)
    read(project, "bob", fourth)
    read(project, "cat", fourth)
    items = asked(project, "ann", WorkList.SECOND, DOUBLE)
    assert ids(items) == [second, locked, first]
    assert {(i.mode, i.reason, i.uncertainty) for i in items} == {(ReadMode.BLINDED, BLINDED_REASON, None)}
    assert ids(asked(project, "bob", WorkList.SECOND, DOUBLE)) == [third]
    assert asked(project, "ann", WorkList.SECOND, SINGLE) == []
    # A read with help does not judge: the level still waits for its first read.
    assert helped in ids(asked(project, "ann", WorkList.BLINDED, DOUBLE))
    with project.session() as session:
        assert left_for(session, "ann", WorkList.SECOND, DOUBLE) == 3


def test_disputes_come_to_adjudicators_who_read_neither_way(
    project: Project, add: Callable[..., tuple[int, ...]]
) -> None:
    first, second, *_ = add()
    for level_id in (second, first):
        read(project, "ann", level_id)
        read(project, "bob", level_id, diagnosis=Diagnosis.MALIGNANT)
    items = asked(project, "cat", WorkList.ADJUDICATION)
    assert [(i.level_id, i.mode, i.reason, i.uncertainty) for i in items] == [
        (level_id, ReadMode.BLINDED, DISPUTE_REASON, None) for level_id in (second, first)
    ]
    assert asked(project, "ann", WorkList.ADJUDICATION) == []
    for work_list in (WorkList.ASSISTED, WorkList.BLINDED, WorkList.SECOND):
        assert not {first, second} & set(ids(asked(project, "cat", work_list, DOUBLE)))
    with project.transaction() as session:
        adjudicate(session, submission("cat", second))
    assert ids(asked(project, "cat", WorkList.ADJUDICATION)) == [first]
    assert second not in ids(asked(project, "dan", WorkList.SECOND, DOUBLE))


def test_a_drawn_level_comes_first_and_blinded_if_it_judges(
    project: Project, add: Callable[..., tuple[int, ...]]
) -> None:
    def drawn(level_id: int) -> int:
        with project.transaction() as session:
            level = find_level(session, level_id)
            level.source, level.edited_by = LevelSource.READER, "ann"
            for prediction in level.predictions:
                session.delete(prediction)
        return level_id

    training, locked = drawn(add()[3]), drawn(add(Split.TEST)[3])
    items = asked(project, "ann")
    by_id = {item.level_id: item for item in items}
    teaching = [i for i in items if i.mode is ReadMode.ASSISTED]
    assert (teaching[0].level_id, teaching[0].reason, teaching[0].uncertainty) == (
        training,
        DRAWN_REASON,
        None,
    )
    assert (by_id[locked].mode, by_id[locked].reason) == (ReadMode.BLINDED, BLINDED_REASON)


def test_a_level_that_the_reader_goes_to_comes_in_its_own_mode(
    project: Project, add: Callable[..., tuple[int, ...]]
) -> None:
    training, locked = add()[0], add(Split.TEST)[0]

    def chosen(level_id: int, work_list: WorkList, strategy: object = NEVER_BLINDED) -> tuple[object, ...]:
        with project.session() as session:
            item = chosen_item(session, level_id, "ann", work_list, strategy)  # type: ignore[arg-type]
            return (item.level_id, item.mode, item.reason)

    assisted = (training, ReadMode.ASSISTED, CHOSEN_REASON)
    blinded = (training, ReadMode.BLINDED, BLINDED_REASON)
    assert chosen(training, WorkList.ASSISTED) == assisted
    assert chosen(training, WorkList.ASSISTED, ALWAYS_BLINDED) == blinded
    assert chosen(training, WorkList.BLINDED) == chosen(training, WorkList.SECOND) == blinded
    assert chosen(training, WorkList.ADJUDICATION) == (training, ReadMode.BLINDED, DISPUTE_REASON)
    assert chosen(locked, WorkList.ASSISTED) == (locked, ReadMode.BLINDED, BLINDED_REASON)
    with project.transaction() as session:
        note_level_shown(session, training, "ann")
    assert chosen(training, WorkList.ASSISTED, ALWAYS_BLINDED) == assisted
