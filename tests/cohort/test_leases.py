"""Leases: a level lies before one reader at a time, in the mode that the server decided."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest
from read_cohort import ReadStudy, read_study
from sqlalchemy import select
from sqlalchemy.orm import Session

from spine_fracture.cohort.columns import now
from spine_fracture.cohort.desk import Lease, WorkList
from spine_fracture.cohort.leases import (
    Seat,
    end_all,
    has_active,
    held,
    is_blind,
    latest,
    read_mode,
    release,
    renew,
    take,
)
from spine_fracture.cohort.levels import find_level
from spine_fracture.cohort.models import ReadMode
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.records import AuditEvent
from spine_fracture.cohort.shown import note_level_shown, note_study_shown
from spine_fracture.cohort.splits import Split
from spine_fracture.errors import ConflictError, NotFoundError

ANN, BOB = Seat("ann", "tab-1"), Seat("bob", "tab-2")
ANN_ELSEWHERE = Seat("ann", "tab-3")


@pytest.fixture
def study(project: Project, pictures: Path) -> ReadStudy:
    return read_study(project, pictures)


@pytest.fixture
def locked(project: Project, pictures: Path) -> ReadStudy:
    return read_study(project, pictures, Split.TEST)


def taken(
    session: Session, level_id: int, seat: Seat, mode: ReadMode = ReadMode.ASSISTED, seconds: float = 900
) -> Lease:
    return take(
        session,
        level_id,
        seat,
        mode=mode,
        work_list=WorkList.ASSISTED,
        reason="T1 and T2 disagree",
        score=0.7,
        seconds=seconds,
    )


def expire(session: Session, seat: Seat) -> None:
    lease = held(session, seat)
    assert lease is not None
    lease.expires = now() - timedelta(seconds=1)
    session.flush()


def test_of_many_who_reach_for_a_level_one_gets_it(study: ReadStudy) -> None:
    together = Barrier(8)

    def reach(number: int) -> bool:
        together.wait()
        try:
            with study.project.transaction() as session:
                taken(session, study.levels[0], Seat(f"reader-{number}", "t"))
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(reach, range(8))) == [False] * 7 + [True]
    with study.project.session() as session:
        assert len(session.scalars(select(Lease)).all()) == 1


def test_a_seat_has_one_level_and_keeps_the_mode_it_was_given(study: ReadStudy) -> None:
    first, second, _ = study.levels
    with study.project.transaction() as session:
        lease = taken(session, first, ANN, ReadMode.BLINDED)
        until = lease.expires
        again = taken(session, first, ANN, ReadMode.ASSISTED, seconds=1800)
        assert again is lease and again.mode is ReadMode.BLINDED and again.expires > until
        with pytest.raises(ConflictError, match="You have this level open in another window"):
            taken(session, first, ANN_ELSEWHERE)
        with pytest.raises(ConflictError, match="Another reader has"):
            taken(session, first, BOB)
        other = taken(session, second, ANN)
        assert held(session, ANN) is other and lease.ended is not None
        assert taken(session, first, BOB).reader == "bob"
        events = session.scalars(select(AuditEvent).where(AuditEvent.action == "level.served")).all()
        assert [event.actor for event in events] == ["ann", "ann", "bob"]


def test_a_lease_ends_with_its_time_its_release_or_its_window(study: ReadStudy) -> None:
    first = study.levels[0]
    with study.project.transaction() as session:
        taken(session, first, ANN)
        expire(session, ANN)
        assert held(session, ANN) is None and not has_active(session, "ann")
        taken(session, first, BOB)
        release(session, first, ANN)  # nothing of hers is left to release
        assert held(session, BOB) is not None
        release(session, first, BOB)
        taken(session, first, ANN)
        end_all(session, Seat("bob", ANN.tab))  # a window's id alone ends nothing
        assert held(session, ANN) is not None
        end_all(session, ANN)
        assert held(session, ANN) is None
        last = latest(session, first, "ann")
        assert last is not None and last.ended is not None
        assert latest(session, first, "cat") is None


def test_a_lease_that_ran_out_revives_until_somebody_took_the_level(study: ReadStudy) -> None:
    first = study.levels[0]
    with study.project.transaction() as session:
        taken(session, first, ANN)
        expire(session, ANN)
        assert renew(session, first, ANN, 900).expires > now()
        assert held(session, ANN) is not None
        expire(session, ANN)
        taken(session, first, BOB)
        with pytest.raises(ConflictError, match="What you typed is safe"):
            renew(session, first, ANN, 900)
        end_all(session, BOB)
        with pytest.raises(ConflictError, match="no longer kept"):
            renew(session, first, BOB, 900)
        with pytest.raises(NotFoundError):
            renew(session, 999, ANN, 900)


def test_locked_patients_are_blinded_whatever_is_asked_for(study: ReadStudy, locked: ReadStudy) -> None:
    with study.project.transaction() as session:
        assert taken(session, study.levels[0], ANN).mode is ReadMode.ASSISTED
        assert has_active(session, "ann") and not is_blind(session, "ann")
        lease = taken(session, locked.levels[0], ANN_ELSEWHERE)
        assert (lease.mode, lease.score) == (ReadMode.BLINDED, None)
        assert is_blind(session, "ann") and not is_blind(session, "bob")
        end_all(session, ANN_ELSEWHERE)
        assert not is_blind(session, "ann")


def test_the_mode_of_a_read_is_what_its_reader_saw(study: ReadStudy, locked: ReadStudy) -> None:
    def mode(session: Session, level_id: int, reader: str) -> ReadMode:
        return read_mode(session, find_level(session, level_id), reader)

    first, second, _ = study.levels
    with study.project.transaction() as session:
        assert mode(session, first, "ann") is ReadMode.ASSISTED
        assert mode(session, locked.levels[0], "ann") is ReadMode.BLINDED
        taken(session, first, ANN, ReadMode.BLINDED)
        end_all(session, ANN)
        assert mode(session, first, "ann") is ReadMode.BLINDED
        note_level_shown(session, first, "ann")
        note_level_shown(session, first, "ann")
        assert mode(session, first, "ann") is ReadMode.ASSISTED
        assert mode(session, first, "bob") is ReadMode.ASSISTED
        taken(session, second, ANN, ReadMode.BLINDED)
        assert mode(session, second, "ann") is ReadMode.BLINDED
        assert len(session.scalars(select(AuditEvent).where(AuditEvent.actor == "ann")).all()) == 3
    note_study_shown(study.project, study.uid, "ann")
    note_study_shown(study.project, locked.uid, "bob")
    with study.project.session() as session:
        assert mode(session, second, "ann") is ReadMode.ASSISTED
        assert mode(session, locked.levels[0], "bob") is ReadMode.ASSISTED
        assert mode(session, locked.levels[0], "ann") is ReadMode.BLINDED
