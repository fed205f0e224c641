"""The Slicer module's panel when the server or the pictures fail: what is answered is what is shown."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

import pytest
from clients.conftest import PASSWORD, Ward
from clients.fake_qt import QInputDialog
from clients.fake_slicer import FakeSlicer
from clients.sittings import no_level_follows, reads_of, ward_reader
from spine_fracture_reading.connection import Connection, SignInNeededError, UnreachableError
from sqlalchemy import select

from spine_fracture.anatomy import Diagnosis
from spine_fracture.cohort.models import StudyLevel
from spine_fracture.cohort.skips import skipped_by


@pytest.mark.parametrize("part", ["download", "scene", "panel"])
def test_an_answer_never_reaches_a_level_that_could_not_be_shown(
    reading: Any, slicer: FakeSlicer, ward: Ward, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    first = reading._sitting.task.level.id
    reading._panel.pick(2)
    with monkeypatch.context() as broken:
        forget_pictures(reading, slicer)
        if part == "download":
            broken.setattr(Connection, "download", _breaks_off)
        elif part == "scene":
            broken.setattr(sys.modules["slicer"].util, "loadVolume", _fails)
        else:
            broken.setattr(reading._panel, "show", _fails)
        for _ in range(2):
            with suppress(RuntimeError):  # which Slicer prints
                reading.submit()
            assert nothing_is_shown(reading, slicer)
            assert "Submit tries again" in reading._said.text
            reading._panel.pick(4)
    coming = reading._sitting.kept.level.id
    assert coming != first
    assert [read.diagnosis for read in reads_of(ward, first)] == [Diagnosis.MALIGNANT]
    assert reads_of(ward, coming) == []
    reading.submit()
    assert reading._sitting.task.level.id == coming
    assert reads_of(ward, coming) == []
    assert reading._panel.widget.visible
    assert not any(button.checked for button in reading._panel._diagnoses.values())
    assert len(slicer.scene.volumes()) == 2


def test_a_level_that_cannot_be_shown_can_be_passed_over(
    reading: Any, slicer: FakeSlicer, ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = reading._sitting.task.level.id
    with monkeypatch.context() as broken:
        broken.setattr(Connection, "download", _breaks_off)
        forget_pictures(reading, slicer)
        reading.skip()
    assert "did not arrive whole: try again. The level is not shown" in reading._said.text
    assert nothing_is_shown(reading, slicer)
    second = reading._sitting.kept.level.id
    reading.skip()
    assert reading._sitting.task.level.id not in (first, second)
    assert skipped(ward, ward_reader(reading._sitting)) >= {first, second}


def test_taking_back_takes_one_answer_back_though_its_level_could_not_be_shown(
    reading: Any, slicer: FakeSlicer, ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = read_two(reading)
    with monkeypatch.context() as broken:
        broken.setattr(Connection, "download", _breaks_off)
        forget_pictures(reading, slicer)
        for _ in range(2):
            reading.undo()
            assert nothing_is_shown(reading, slicer)
    assert [len(reads_of(ward, level)) for level in levels] == [1, 0]
    reading.submit()
    assert reading._sitting.task.level.id == levels[1]
    assert [key for key, button in reading._panel._diagnoses.items() if button.checked] == ["benign_fracture"]
    assert reads_of(ward, levels[1]) == []


def test_two_answers_are_taken_back_one_after_the_other(reading: Any, ward: Ward) -> None:
    levels = read_two(reading)
    reading.undo()
    reading.undo()
    assert reading._sitting.task.level.id == levels[0]
    assert [len(reads_of(ward, level)) for level in levels] == [0, 0]


def test_a_read_that_is_stored_leaves_no_form_behind_when_no_level_follows(
    reading: Any, slicer: FakeSlicer, ward: Ward
) -> None:
    level = reading._sitting.task.level.id
    reading._panel.pick(0)
    with no_level_follows(notes=["Both reads are kept."]):
        reading.submit()
        assert nothing_is_shown(reading, slicer)
        reading.submit()
        assert "broke off: try again. No level lies before you: Submit asks" in reading._said.text
    assert len(reads_of(ward, level)) == 1
    reading.submit()
    assert reading._sitting.task.level.id != level
    assert reading._panel.widget.visible
    assert "Both reads are kept." in reading._said.text


def test_skipping_with_no_level_asks_for_the_next(reading: Any, slicer: FakeSlicer) -> None:
    level = reading._sitting.task.level.id
    with no_level_follows():
        reading.skip()
    assert nothing_is_shown(reading, slicer)
    reading.skip()
    assert reading._sitting.task.level.id != level


@pytest.mark.parametrize("press", ["skip", "undo"])
def test_a_sign_in_that_runs_out_under_way_does_nothing_twice(
    reading: Any, slicer: FakeSlicer, ward: Ward, monkeypatch: pytest.MonkeyPatch, press: str
) -> None:
    name = ward_reader(reading._sitting)
    levels = read_two(reading)
    before = skipped(ward, name)
    at_hand = reading._sitting.task.level.id
    download, asked = Connection.download, []

    def refused_once(self: Connection, *given: Any, **query: str) -> None:
        asked.append(given)
        if len(asked) == 1:
            raise SignInNeededError("Sign in.", 401)
        download(self, *given, **query)

    monkeypatch.setattr(Connection, "download", refused_once)
    forget_pictures(reading, slicer)
    QInputDialog.typed[:] = [name, PASSWORD]
    getattr(reading, press)()
    assert QInputDialog.typed == []
    assert skipped(ward, name) - before == ({at_hand} if press == "skip" else set())
    assert [len(reads_of(ward, level)) for level in levels] == ([1, 1] if press == "skip" else [1, 0])
    assert reading._panel.widget.visible


def test_a_server_that_is_gone_does_not_keep_the_reader(reading: Any, ward: Ward) -> None:
    name = ward_reader(reading._sitting)
    reading._connection.address = "http://127.0.0.1:9"
    QInputDialog.typed[:] = [name, PASSWORD]
    reading.begin()
    assert reading._connection.address == ward.url
    assert reading._sitting.task is not None
    assert reading._panel.widget.visible


def test_nothing_is_left_of_a_level_when_another_server_does_not_answer(
    reading: Any, slicer: FakeSlicer
) -> None:
    reading._panel.pick(0)
    reading._address.setText("http://127.0.0.1:9")
    reading.begin()
    assert "does not answer" in reading._said.text
    assert not reading._panel.widget.visible
    for press in (reading.submit, reading.skip, reading.undo):
        reading._say("")
        press()
        assert reading._said.text == "Press Start reading first."


def read_two(reading: Any) -> list[int]:
    """Two levels, read; their ids."""
    levels = []
    for number in (0, 1):
        levels.append(reading._sitting.task.level.id)
        reading._panel.pick(number)
        reading.submit()
    return levels


def nothing_is_shown(reading: Any, slicer: FakeSlicer) -> bool:
    hung = [view.background for view in slicer.views.values() if view.background is not None]
    left = [reading._sitting.task, reading._title.text, reading._panel.widget.visible]
    return not any((*hung, *left, *slicer.scene.rois()))


def forget_pictures(reading: Any, slicer: FakeSlicer) -> None:
    """What comes next must be fetched and loaded, also where it is of the same study."""
    slicer.scene.Clear()
    for file in reading._folder.glob("*.nii.gz"):
        file.unlink()


def skipped(ward: Ward, reader: str) -> set[int]:
    with ward.server.room.project.session() as session:
        return set(session.scalars(select(StudyLevel.id).where(skipped_by(reader))))


def _breaks_off(*_given: Any, **_query: str) -> None:
    raise UnreachableError("The picture did not arrive whole: try again.")


def _fails(*_given: Any) -> None:
    raise RuntimeError("Slicer cannot.")
