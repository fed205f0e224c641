"""The queue keeps its two streams apart, mixes them as configured, and gives nothing away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from learning_catalogue import LEVELS, Catalogue, predicted
from sqlalchemy.orm import Session
from typer.testing import CliRunner

from spine_fracture.active_learning.queue import BLINDED_REASON, QueueItem, ranked_levels
from spine_fracture.active_learning.strategies import StrategyConfig, load_strategy, strategy_names
from spine_fracture.active_learning.worklists import next_items
from spine_fracture.anatomy import Diagnosis
from spine_fracture.cli import cli
from spine_fracture.cohort.desk import WorkList
from spine_fracture.cohort.levels import find_level
from spine_fracture.cohort.models import LevelSource, ReadMode, Role, StudyLevel
from spine_fracture.cohort.project import open_project
from spine_fracture.cohort.protocol import load_protocol
from spine_fracture.cohort.reads import ReadSubmission, submit_read, withdraw_read
from spine_fracture.cohort.records import ModelVersion
from spine_fracture.cohort.splits import Split
from spine_fracture.cohort.states import ModelStatus
from spine_fracture.errors import InputError
from spine_fracture.settings import settings

STRATEGY = load_strategy("uncertainty")
MODELS = ("detector-1", "classifier-1", "classifier-2", "classifier-3")
ALL_ASSISTED = STRATEGY.model_copy(update={"blinded_training_one_in": 10**9})


def next_levels(session: Session, reader: str, count: int, strategy: StrategyConfig) -> tuple[QueueItem, ...]:
    return next_items(session, reader, WorkList.ASSISTED, load_protocol("single"), strategy, count)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    with open_project(tmp_path / "project").transaction() as opened:
        yield opened


@pytest.fixture
def catalogue(session: Session) -> Catalogue:
    return Catalogue(session)


def answer(
    session: Session,
    level_id: int,
    reader: str = "ann",
    mode: ReadMode = ReadMode.ASSISTED,
    diagnosis: Diagnosis = Diagnosis.NORMAL,
) -> int:
    submission = ReadSubmission(
        level_id, reader, mode, diagnosis, frozenset(), 4, 12.0, token=f"{reader}-{level_id}"
    )
    read = submit_read(session, submission)
    session.flush()
    return read.id


def split_of_item(session: Session, item: QueueItem) -> Split:
    level = session.get(StudyLevel, item.level_id)
    assert level is not None
    return level.study.patient.split


def test_locked_patients_never_enter_the_ranking_however_uncertain(
    session: Session, catalogue: Catalogue
) -> None:
    catalogue.patient(Split.TRAIN, doubt=(0.1,) * 5)
    for split in (Split.TEST, Split.VALIDATION):
        catalogue.patient(split, doubt=(1.0,) * 5)
    for item in next_levels(session, "ann", 15, STRATEGY):
        if split_of_item(session, item) is not Split.TRAIN:
            assert (item.mode, item.reason, item.uncertainty) == (ReadMode.BLINDED, BLINDED_REASON, None)
    assert len(ranked_levels(session, STRATEGY)) == 5


def test_one_in_five_comes_from_locked_patients(session: Session, catalogue: Catalogue) -> None:
    for _ in range(20):
        catalogue.patient(Split.TRAIN)
    for _ in range(6):
        catalogue.patient(Split.TEST)
    splits = [split_of_item(session, item) for item in next_levels(session, "ann", 50, STRATEGY)]
    assert [sum(s is not Split.TRAIN for s in splits[i : i + 5]) for i in range(0, 50, 5)] == [1] * 10


def test_locked_patients_come_whole(session: Session, catalogue: Catalogue) -> None:
    catalogue.patient(Split.TRAIN)
    for split in (Split.TEST, Split.VALIDATION, Split.TEST):
        catalogue.patient(split)
    items = next_levels(session, "ann", 20, STRATEGY)
    studies = [i.study_uid for i in items if split_of_item(session, i) is not Split.TRAIN]
    assert len(studies) == 15
    assert all(len(set(studies[i : i + 5])) == 1 for i in (0, 5, 10))


def test_a_blinded_item_of_either_stream_looks_the_same(session: Session, catalogue: Catalogue) -> None:
    for _ in range(20):
        catalogue.patient(Split.TRAIN, doubt=(0.9,) * 5)
        catalogue.patient(Split.TEST, doubt=(0.9,) * 5)
    items = next_levels(session, "ann", 60, STRATEGY)
    blinded = [item for item in items if item.mode is ReadMode.BLINDED]
    of_training = [item for item in blinded if split_of_item(session, item) is Split.TRAIN]
    assert of_training and len(of_training) < len(blinded)
    assert {(item.reason, item.uncertainty) for item in blinded} == {(BLINDED_REASON, None)}
    telling = {"split", "stream", "score", "probabilities", "prediction", "reasons"}
    assert not telling & {field.name for field in fields(QueueItem)}
    assert all(item.reason == "T1 and T2 disagree" for item in items if item.mode is ReadMode.ASSISTED)


def test_what_was_read_does_not_come_again_and_what_was_taken_back_does(
    session: Session, catalogue: Catalogue
) -> None:
    catalogue.patient(Split.TRAIN, doubt=(0.9, 0.8, 0.7))
    first, second, _ = next_levels(session, "ann", 3, ALL_ASSISTED)
    read = answer(session, first.level_id)
    assert next_levels(session, "ann", 1, ALL_ASSISTED)[0].level_id == second.level_id
    assert first.level_id not in {i.level_id for i in next_levels(session, "bob", 9, ALL_ASSISTED)}
    withdraw_read(session, read, "ann")
    session.flush()
    assert next_levels(session, "ann", 1, ALL_ASSISTED)[0].level_id == first.level_id


def test_asking_twice_gives_the_same_queue_and_reading_moves_it_on_by_one(
    session: Session, catalogue: Catalogue
) -> None:
    for _ in range(4):
        catalogue.patient(Split.TRAIN)
        catalogue.patient(Split.TEST)
    strategy = STRATEGY.model_copy(update={"levels_per_patient": 5})
    queue = next_levels(session, "ann", 12, strategy)
    assert next_levels(session, "ann", 12, strategy) == queue
    answer(session, queue[0].level_id)
    assert next_levels(session, "ann", 11, strategy) == queue[1:]


@pytest.mark.parametrize("name", strategy_names())
def test_levels_come_in_the_same_order_one_at_a_time_as_all_at_once(
    session: Session, catalogue: Catalogue, name: str
) -> None:
    """Patients stay spread out, and centres and classes in turn, for who asks again after every read."""
    for _ in range(4):
        catalogue.patient(Split.TRAIN, doubt=(0.9, 0.85, 0.8, 0.75, 0.7))
    for _ in range(2):
        catalogue.patient(Split.TRAIN, doubt=(0.3,) * 5, centre="south", probabilities=(0.7, 0.1, 0.1, 0.1))
    strategy = load_strategy(name).model_copy(update={"blinded_training_one_in": 10**9})
    whole = [item.level_id for item in next_levels(session, "ann", 30, strategy)]
    served = []
    for _ in whole:
        (item,) = next_levels(session, "ann", 1, strategy)
        served.append(item.level_id)
        answer(session, item.level_id)
    assert served == whole and len(set(served)) == 30
    patients = [find_level(session, level_id).study.patient_id for level_id in served]
    centres = [find_level(session, level_id).study.patient.centre.name for level_id in served]
    if name == "uncertainty":
        assert set(Counter(patients[:12]).values()) == {2}
    else:
        assert Counter(centres[:8]) == {"north": 4, "south": 4}


def test_an_item_says_where_to_look(session: Session, catalogue: Catalogue) -> None:
    study = catalogue.patient(Split.TRAIN, doubt=(0.9,), centre="east")
    (item,) = next_levels(session, "ann", 1, ALL_ASSISTED)
    assert (item.study_uid, item.level, item.centre) == (study.uid, LEVELS[0], "east")
    assert [(s.role, s.slice_index) for s in item.series] == [(Role.T2, 7), (Role.T1, 7)]
    assert item.box == item.series[0].box
    assert 0 < (item.uncertainty or 0) < 1


def test_reference_outlines_and_lost_levels_are_not_asked_about(
    session: Session, catalogue: Catalogue
) -> None:
    catalogue.patient(Split.TRAIN, source=LevelSource.REFERENCE)
    catalogue.patient(Split.TRAIN, doubt=(0.9,)).levels[0].current = False
    session.flush()
    assert next_levels(session, "ann", 5, STRATEGY) == ()


def test_the_latest_prediction_counts(session: Session, catalogue: Catalogue) -> None:
    study = catalogue.patient(Split.TRAIN, doubt=(0.9, 0.5))
    old = study.levels[0].predictions[0]
    new = {c.name: getattr(old, c.name) for c in old.__table__.columns if c.name != "id"}
    new["uncertainty"] = study.levels[1].predictions[0].uncertainty.__class__(0.1, 0, 0, 0, 0, 0)
    study.levels[0].predictions.append(type(old)(**new))
    session.flush()
    assert [r.level.level_id for r in ranked_levels(session, STRATEGY)] == [
        study.levels[1].id,
        study.levels[0].id,
    ]


def test_a_model_that_was_rolled_back_no_longer_ranks(session: Session, catalogue: Catalogue) -> None:
    """The second classifier finds the second level the harder one; the first one thought otherwise."""
    first, second = catalogue.patient(Split.TRAIN, doubt=(0.9, 0.5)).levels
    for level, doubt in ((first, 0.1), (second, 0.6)):
        level.predictions.append(predicted(doubt, "classifier-2"))
    models = {name: ModelVersion(name=name, version=name, sha256="", task="") for name in MODELS}
    session.add_all(models.values())

    def order(serving: str) -> list[int]:
        for name, model in models.items():
            serves = name in ("detector-1", serving)
            model.status = ModelStatus.CHAMPION if serves else ModelStatus.RETIRED
        session.flush()
        return [r.level.level_id for r in ranked_levels(session, STRATEGY)]

    assert order("classifier-2") == [second.id, first.id]
    assert order("classifier-1") == [first.id, second.id]
    assert order("classifier-3") == [second.id, first.id]  # has read nothing yet: the latest there is


def test_a_read_with_help_leaves_a_judging_level_to_the_others(
    session: Session, catalogue: Catalogue
) -> None:
    helped, blinded, unsure = (level.id for level in catalogue.patient(Split.TEST, (0.5,) * 3).levels)
    answer(session, helped)
    answer(session, blinded, mode=ReadMode.BLINDED)
    answer(session, unsure, mode=ReadMode.BLINDED, diagnosis=Diagnosis.INDETERMINATE)
    assert {i.level_id for i in next_levels(session, "bob", 9, STRATEGY)} == {helped, unsure}
    assert next_levels(session, "ann", 9, STRATEGY) == ()


def test_no_level_is_no_request(session: Session) -> None:
    with pytest.raises(InputError):
        next_levels(session, "ann", 0, STRATEGY)


def test_the_command_prints_the_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPINE_FRACTURE_HOME", str(tmp_path / "project"))
    monkeypatch.setenv("COLUMNS", "200")
    settings.cache_clear()
    with open_project().transaction() as session:
        Catalogue(session).patient(Split.TRAIN, doubt=(0.9, 0.2))
    done = CliRunner().invoke(cli, ["next", "--reader", "ann", "--n", "1"])
    second = CliRunner().invoke(cli, ["next", "--reader", "ann", "--list", "second", "--protocol", "double"])
    single = CliRunner().invoke(cli, ["next", "--reader", "ann", "--list", "second"])
    monkeypatch.setenv("SPINE_FRACTURE_PROTOCOL", "double")
    settings.cache_clear()
    of_project = CliRunner().invoke(cli, ["next", "--reader", "ann", "--list", "second"])
    settings.cache_clear()
    for one in (second, of_project):
        assert one.exit_code == 0 and "when another reader has answered them" in one.output
    assert isinstance(single.exception, InputError) and "SPINE_FRACTURE_PROTOCOL" in str(single.exception)
    assert done.exit_code == 0, done.output
    assert "T11" in done.output and "north" in done.output and "T12" not in done.output
