"""What a level needs next, and the decision where readers disagree."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from read_cohort import PATIENTS, ReadStudy, read_study
from sqlalchemy import select

from spine_fracture.anatomy import Basis, Diagnosis, Level
from spine_fracture.cohort.adjudication import adjudicate, awaiting
from spine_fracture.cohort.levels import find_level
from spine_fracture.cohort.models import Read, ReadMode
from spine_fracture.cohort.outlines import remove_level
from spine_fracture.cohort.overview import count_levels
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.protocol import Need, ProtocolConfig, load_protocol, need, protocol_names
from spine_fracture.cohort.reads import withdraw_read
from spine_fracture.cohort.snapshots import freeze, read_snapshot
from spine_fracture.cohort.splits import Split
from spine_fracture.cohort.states import ReadState
from spine_fracture.errors import ConflictError, NotFoundError

SINGLE, DOUBLE = load_protocol("single"), load_protocol("double")


@pytest.fixture
def study(project: Project, pictures: Path) -> ReadStudy:
    return read_study(project, pictures)


@pytest.fixture
def locked(project: Project, pictures: Path) -> ReadStudy:
    return read_study(project, pictures, Split.TEST)


def needs(study: ReadStudy, protocol: ProtocolConfig, number: int = 0) -> Need:
    with study.project.session() as session:
        return need(find_level(session, study.levels[number]), protocol)


def decide(study: ReadStudy, who: str = "cat", number: int = 0, **changes: object) -> int:
    with study.project.transaction() as session:
        return adjudicate(session, study.submission(who, number, **changes)).id


def states(study: ReadStudy) -> dict[str, ReadState]:
    with study.project.session() as session:
        return {read.reader: read.state for read in session.scalars(select(Read).order_by(Read.id))}


def test_protocols_are_found_by_name() -> None:
    assert protocol_names() == ("double", "single")
    assert (SINGLE.reads_per_level, DOUBLE.reads_per_level) == (1, 2)
    with pytest.raises(NotFoundError, match="double, single"):
        load_protocol("../strategies/uncertainty")


def test_what_a_level_needs(study: ReadStudy) -> None:
    assert (needs(study, SINGLE), needs(study, DOUBLE)) == (Need.FIRST_READ, Need.FIRST_READ)
    first = study.read("ann")
    assert (needs(study, SINGLE), needs(study, DOUBLE)) == (Need.NONE, Need.SECOND_READ)
    study.read("bob")
    assert needs(study, DOUBLE) is Need.NONE
    study.read("bob", token="again", name_given=Level.L2)
    assert (needs(study, SINGLE), needs(study, DOUBLE)) == (Need.ADJUDICATION, Need.ADJUDICATION)
    with study.project.transaction() as session:
        withdraw_read(session, first, "ann")
    assert (needs(study, SINGLE), needs(study, DOUBLE)) == (Need.NONE, Need.SECOND_READ)
    with study.project.transaction() as session:
        remove_level(session, study.levels[0], "ann")
    assert needs(study, DOUBLE) is Need.NONE


def test_a_level_that_models_lost_needs_what_it_needed(study: ReadStudy) -> None:
    """Who reads it second, should it be found again, is not to know of the first read."""
    study.read("ann", 2)
    with study.project.transaction() as session:
        find_level(session, study.levels[2]).current = False
    assert (needs(study, SINGLE, 2), needs(study, DOUBLE, 2)) == (Need.NONE, Need.SECOND_READ)


def test_of_locked_patients_only_reads_that_judge_count(locked: ReadStudy) -> None:
    locked.read("ann", mode=ReadMode.ASSISTED)
    assert (needs(locked, SINGLE), needs(locked, DOUBLE)) == (Need.FIRST_READ, Need.FIRST_READ)
    locked.read("bob")
    assert (needs(locked, SINGLE), needs(locked, DOUBLE)) == (Need.NONE, Need.SECOND_READ)


def test_a_decision_is_the_reference_and_the_reads_stay(study: ReadStudy) -> None:
    study.read("ann")
    study.read("bob", diagnosis=Diagnosis.NORMAL)
    study.read("ann", 1)
    with study.project.session() as session:
        assert awaiting(session) == (study.levels[0],)
    decision = decide(study, basis=Basis.BIOPSY)
    assert decide(study, basis=Basis.BIOPSY) == decision  # sent twice, stored once
    assert states(study) == {
        "ann": ReadState.SUBMITTED,
        "bob": ReadState.SUBMITTED,
        "cat": ReadState.ADJUDICATED,
    }
    assert needs(study, DOUBLE) is Need.NONE
    with study.project.session() as session:
        assert awaiting(session) == ()


def test_who_may_decide_and_when(study: ReadStudy) -> None:
    first = study.read("ann")
    second = study.read("bob", diagnosis=Diagnosis.NORMAL)
    with pytest.raises(ConflictError, match="You read this level yourself"):
        decide(study, "ann", token="decision")
    decide(study, "cat")
    with pytest.raises(ConflictError, match="decided already"):
        decide(study, "dan")
    with study.project.transaction() as session:
        withdraw_read(session, first, "ann")
        withdraw_read(session, second, "bob")
        decision = session.scalars(select(Read).where(Read.reader == "cat")).one()
        assert withdraw_read(session, decision.id, "cat").state is ReadState.WITHDRAWN
    with pytest.raises(ConflictError, match="nothing to decide"):
        decide(study, "dan")


def test_a_decision_taken_back_opens_the_dispute_again(study: ReadStudy) -> None:
    study.read("ann")
    study.read("bob", diagnosis=Diagnosis.NORMAL)
    decision = decide(study)
    with study.project.transaction() as session:
        withdraw_read(session, decision, "cat")
    assert needs(study, SINGLE) is Need.ADJUDICATION
    decide(study, "cat", token="second thoughts", diagnosis=Diagnosis.NORMAL)
    assert needs(study, SINGLE) is Need.NONE


def test_of_many_decisions_one_stands(study: ReadStudy) -> None:
    study.read("ann")
    study.read("bob", diagnosis=Diagnosis.NORMAL)

    def try_to(number: int) -> bool:
        try:
            decide(study, f"adjudicator-{number}")
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(try_to, range(4))) == [False, False, False, True]


def test_a_snapshot_of_a_decided_level_is_the_decision(study: ReadStudy, locked: ReadStudy) -> None:
    for place in (study, locked):
        place.read("ann")
        place.read("bob", diagnosis=Diagnosis.NORMAL)
        decide(place, diagnosis=Diagnosis.HEMANGIOMA, basis=Basis.FOLLOW_UP)
        place.read("ann", 1)
    freeze(study.project)
    content = read_snapshot(study.project)
    for reads, split in ((content.training, Split.TRAIN), (content.evaluation, Split.TEST)):
        assert {read.patient for read in reads} == {PATIENTS[split]}
        assert [(r.reader, r.diagnosis, r.reference, r.basis) for r in reads] == [
            ("cat", Diagnosis.HEMANGIOMA, True, Basis.FOLLOW_UP),
            ("ann", Diagnosis.MALIGNANT, False, Basis.IMAGING),
        ]


def test_a_removed_level_teaches_nothing(study: ReadStudy) -> None:
    study.read("ann", 0)
    study.read("ann", 1)
    with study.project.transaction() as session:
        remove_level(session, study.levels[0], "bob")
    freeze(study.project)
    assert [read.level_id for read in read_snapshot(study.project).training] == [study.levels[1]]


def test_answered_levels_are_counted(study: ReadStudy, locked: ReadStudy) -> None:
    study.read("ann", 0, basis=Basis.BIOPSY)
    study.read("bob", 0)
    study.read("ann", 1, diagnosis=Diagnosis.NORMAL)
    study.read("ann", 2)
    study.read("bob", 2, diagnosis=Diagnosis.NORMAL)
    locked.read("ann", 0)

    def count(**options: object) -> int:
        with study.project.session() as session:
            return count_levels(session, **options)  # type: ignore[arg-type]

    twice = {"centre": "Centre A", "diagnosis": Diagnosis.MALIGNANT, "min_reads": 2}
    assert count() == 3
    with pytest.raises(NotFoundError, match="no centre Centre B"):  # misspelt, not a centre without levels
        count(centre="Centre B")
    assert count(diagnosis=Diagnosis.MALIGNANT) == 2
    assert count(**twice, basis=Basis.BIOPSY) == 1 and count(**twice, basis=Basis.REPORT) == 0
    decide(study, "cat", 2, diagnosis=Diagnosis.MALIGNANT, basis=Basis.BIOPSY)
    assert count(**twice, basis=Basis.BIOPSY) == 2
