"""Reading once, refusing once, and noticing what changed."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from server.studies import QuickPipeline, image_id, study_uid, write_study
from sqlalchemy import select

from spine_fracture.cohort.levels import store_reading
from spine_fracture.cohort.models import Centre, Refused
from spine_fracture.cohort.outlines import remove_level, shift_names
from spine_fracture.cohort.overview import reasons
from spine_fracture.errors import BusyError, InputError, OffDomainError
from spine_fracture.imaging import PairedStack, Sequence
from spine_fracture.levels import StudyReading
from spine_fracture.server.readings import WAITING_ROOM, ModelPair, Pipeline
from spine_fracture.server.room import ReadingRoom, open_room

KEY, OTHER = "phantom-000001", "phantom-000003"


@dataclass(eq=False)
class RefusingPipeline(QuickPipeline):
    def read(self, pair: PairedStack, study_uid: str) -> StudyReading:
        self.calls.append(study_uid)
        raise OffDomainError("This is no spine.")


def room_at(tmp_path: Path, pipeline: Pipeline) -> ReadingRoom:
    room = open_room(tmp_path / "home", str(tmp_path / "studies"), "Test centre", lambda: pipeline)
    room.catalogue.refresh()
    return room


def test_a_reading_outlives_the_server(tmp_path: Path) -> None:
    write_study(tmp_path / "studies", KEY)
    first, second = QuickPipeline(), QuickPipeline()
    room = room_at(tmp_path, first)
    before = room.reader.read(room.catalogue.find(image_id(KEY)))
    again = room_at(tmp_path, second)
    after = again.reader.read(again.catalogue.find(image_id(KEY)))
    assert (first.calls, second.calls) == ([study_uid(KEY)], [])
    assert [level.name for level in after.levels] == [level.name for level in before.levels]
    assert [level.probabilities for level in after.levels] == [lv.probabilities for lv in before.levels]
    assert [level.slices for level in after.levels] == [level.slices for level in before.levels]
    assert (after.notes, after.numbering_sure) == (before.notes, before.numbering_sure)


def test_other_models_read_again(tmp_path: Path) -> None:
    write_study(tmp_path / "studies", KEY)
    pipeline = QuickPipeline()
    room = room_at(tmp_path, pipeline)
    study = room.catalogue.find(image_id(KEY))
    room.reader.read(study)
    pipeline.models = ModelPair("quick-1", "quick-2")
    room.reader.read(study)
    assert len(pipeline.calls) == 2


def test_changed_files_are_read_again(tmp_path: Path) -> None:
    files = write_study(tmp_path / "studies", KEY)
    pipeline = QuickPipeline()
    room = room_at(tmp_path, pipeline)
    room.reader.read(room.catalogue.find(image_id(KEY)))
    files[0].touch()
    room.reader.read(room.catalogue.find(image_id(KEY)))
    assert len(pipeline.calls) == 2


@pytest.mark.parametrize("late", [Sequence.T2, Sequence.T2_FAT_SAT])
def test_a_study_that_grows_is_read_ahead_once_more(tmp_path: Path, late: Sequence) -> None:
    """The other half of the pair makes a new reading; a series that nobody reads leaves it as it was."""
    write_study(tmp_path / "studies", KEY, (Sequence.T1,))
    pipeline = QuickPipeline()
    room = room_at(tmp_path, pipeline)
    assert [room.ahead.one_more() for _ in range(2)] == [True, False]
    write_study(tmp_path / "studies", KEY, (Sequence.T1, late))
    room.catalogue.refresh()
    assert [room.ahead.one_more() for _ in range(2)] == [True, False]
    read = room.reader.read(room.catalogue.find(study_uid(KEY)))
    wanted = image_id(KEY, late if late is Sequence.T2 else Sequence.T1)
    assert {part.series_uid for level in read.levels for part in level.slices} == {wanted}
    assert len(pipeline.calls) == 2


def test_what_was_read_before_a_study_grew_is_not_kept_for_it(tmp_path: Path) -> None:
    """T2 comes while the models read T1: who asked gets what was read, and the whole is read next."""
    write_study(tmp_path / "studies", KEY, (Sequence.T1,))

    @dataclass(eq=False)
    class Interrupted(QuickPipeline):
        def read(self, pair: PairedStack, study_uid: str) -> StudyReading:
            if not self.calls:
                write_study(tmp_path / "studies", KEY)
                room.catalogue.refresh()
            return super().read(pair, study_uid)

    pipeline = Interrupted()
    room = room_at(tmp_path, pipeline)
    early = room.reader.read(room.catalogue.find(study_uid(KEY)))
    assert early.levels[0].key_slice.series_uid == image_id(KEY, Sequence.T1)
    assert [room.ahead.one_more() for _ in range(2)] == [True, False]
    whole = room.reader.read(room.catalogue.find(study_uid(KEY)))
    assert whole.levels[0].key_slice.series_uid == image_id(KEY)
    assert len(pipeline.calls) == 2


def test_what_a_command_read_is_not_read_again(tmp_path: Path) -> None:
    write_study(tmp_path / "studies", KEY)
    pipeline = QuickPipeline()
    room = room_at(tmp_path, pipeline)
    study = room.catalogue.find(image_id(KEY))
    reading = QuickPipeline().read(room.catalogue.pair(study), study.uid)
    with room.project.transaction() as session:
        store_reading(session, reading)
    room.reader.read(study)
    assert pipeline.calls == []


def test_what_readers_changed_stays_for_models_that_see_it_otherwise(tmp_path: Path) -> None:
    """A new model misses a renamed level and finds a removed one: read once, as the readers left it."""
    write_study(tmp_path / "studies", KEY)

    @dataclass(eq=False)
    class Missing(QuickPipeline):
        def read(self, pair: PairedStack, study_uid: str) -> StudyReading:
            found = super().read(pair, study_uid)
            return replace(found, levels=found.levels[:-1], classifier_version="quick-2")

    first = room_at(tmp_path, QuickPipeline())
    before = first.reader.read(first.catalogue.find(image_id(KEY)))
    with first.project.transaction() as session:
        levels = shift_names(session, study_uid(KEY), 1, "ann")
        remove_level(session, levels[0].id, "ann")
    pipeline = Missing()
    pipeline.models = ModelPair("quick-1", "quick-2")
    room = room_at(tmp_path, pipeline)
    study = room.catalogue.find(image_id(KEY))
    for _ in range(2):
        names = [level.name for level in room.reader.read(study).levels]
        assert names == [level.name for level in before.levels[:-2]]
    assert len(pipeline.calls) == 1


def test_a_refusal_is_remembered_until_the_files_change(tmp_path: Path) -> None:
    files = write_study(tmp_path / "studies", KEY)
    pipeline = RefusingPipeline()
    room = room_at(tmp_path, pipeline)
    for _ in range(2):
        with pytest.raises(OffDomainError, match="no spine"):
            room.reader.read(room.catalogue.find(image_id(KEY)))
    assert room.reader.refused(room.catalogue.find(image_id(KEY)))
    assert len(pipeline.calls) == 1
    with room.project.session() as session:  # the data manager is told
        ((centre, why, count),) = reasons(session)
    assert centre == "Test centre" and "no spine" in why and count == 1
    files[0].touch()
    assert not room.reader.refused(room.catalogue.find(image_id(KEY)))


def test_one_study_that_our_code_fails_on_does_not_end_the_reading_ahead(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for key in (KEY, OTHER):
        write_study(tmp_path / "studies", key)
    first = min(study_uid(KEY), study_uid(OTHER))

    class Failing(QuickPipeline):
        def read(self, pair: PairedStack, study_uid: str) -> StudyReading:
            if study_uid == first:
                self.calls.append(study_uid)
                raise RuntimeError("Jane Doe")
            return super().read(pair, study_uid)

    pipeline = Failing()
    room = room_at(tmp_path, pipeline)
    room.start()
    until = time.monotonic() + 20
    while len(pipeline.calls) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    room.close()
    assert pipeline.calls == sorted((study_uid(KEY), study_uid(OTHER)))
    assert "put aside" in caplog.text
    assert "Jane" not in caplog.text


def test_a_folder_taken_in_before_keeps_its_centre(tmp_path: Path) -> None:
    write_study(tmp_path / "studies", KEY)
    room_at(tmp_path, QuickPipeline())
    again = open_room(tmp_path / "home", str(tmp_path / "studies"), "elsewhere", QuickPipeline)
    write_study(tmp_path / "studies", OTHER)
    again.catalogue.refresh()
    assert again.catalogue.count() == 2
    with again.project.session() as session:
        assert session.scalars(select(Refused)).all() == []
        assert session.scalars(select(Centre.name)).all() == ["Test centre"]


def test_a_study_whose_files_are_gone_says_so(tmp_path: Path) -> None:
    files = write_study(tmp_path / "studies", KEY)
    room = room_at(tmp_path, QuickPipeline())
    files[3].unlink()
    with pytest.raises(InputError, match="no longer where they were"):
        room.reader.read(room.catalogue.find(image_id(KEY)))


def test_two_requests_for_one_study_read_it_once(tmp_path: Path) -> None:
    write_study(tmp_path / "studies", KEY)
    pipeline = QuickPipeline()
    room = room_at(tmp_path, pipeline)
    study = room.catalogue.find(image_id(KEY))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(room.reader.read, [study] * 4))
    assert pipeline.calls == [study.uid]


def test_more_requests_than_may_wait_are_turned_away(tmp_path: Path) -> None:
    write_study(tmp_path / "studies", KEY)
    go_on = threading.Event()

    class Waiting(QuickPipeline):
        def read(self, pair: PairedStack, study_uid: str) -> StudyReading:
            go_on.wait(30)
            return super().read(pair, study_uid)

    room = room_at(tmp_path, Waiting())
    study = room.catalogue.find(image_id(KEY))
    with ThreadPoolExecutor(WAITING_ROOM + 4) as pool:
        asked = [pool.submit(room.reader.read, study) for _ in range(WAITING_ROOM + 4)]
        first_to_end = next(as_completed(asked, timeout=30))
        wait([f for f in asked if f is not first_to_end], timeout=1)
        turned_away = [f for f in asked if f.done() and isinstance(f.exception(), BusyError)]
        go_on.set()
    assert len(turned_away) == 4


def test_t1_alone_stands_for_its_study(tmp_path: Path) -> None:
    write_study(tmp_path / "studies", KEY, (Sequence.T1,))
    room = room_at(tmp_path, QuickPipeline())
    assert room.catalogue.images() == (image_id(KEY, Sequence.T1),)
    assert room.reader.read(room.catalogue.find(study_uid(KEY))).levels
