"""Our Slicer module's panel and scene, on stand-ins for Slicer and Qt, against the real server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clients.conftest import PASSWORD, Ward
from clients.fake_qt import QInputDialog
from clients.fake_slicer import RAS_LPS, FakeSlicer, press
from clients.sittings import reads_of, ward_reader
from server.made_desk import mirrored_desk
from server.running import running
from server.studies import LEVELS, QuickPipeline, boxes, frame
from sqlalchemy import select

from spine_fracture.anatomy import Diagnosis, Feature
from spine_fracture.cohort.leases import Seat, held
from spine_fracture.cohort.models import LevelSlice, Read, ReadMode, StudyLevel


def test_the_panel_says_that_it_is_not_for_clinical_use(widget: Any) -> None:
    assert "Not for clinical use" in widget.layout.widgets[0].text


def test_t1_and_t2_hang_side_by_side_at_the_level(reading: Any, slicer: FakeSlicer, ward: Ward) -> None:
    task = reading._sitting.task
    hung = {node.GetID(): node.name for node in slicer.scene.volumes()}
    assert [hung[slicer.views[view].background] for view in ("Red", "Yellow")] == [
        picture.description for picture in task.to_show()
    ]
    with ward.server.room.project.session() as session:
        centre = session.get_one(StudyLevel, task.level.id).box.centre
    for view in slicer.views.values():
        np.testing.assert_allclose(np.array(view.centre) * [-1, -1, 1], centre, atol=1e-3)
        assert view.field[:2] == (210.0, 140.0)
    assert slicer.scene.rois()[0].name == task.level.name
    assert [roi.locked for roi in slicer.scene.rois()] == [False, True, True, True, True]
    assert task.level.name in reading._title.text
    assert [bar.visible for bar in reading._panel._bars.values()] == [True] * 4 + [False] * 2


def test_a_read_takes_a_class_and_return(reading: Any, slicer: FakeSlicer, ward: Ward) -> None:
    level = reading._sitting.task.level
    reading.submit()
    assert "Choose a class" in reading._said.text
    keys = {str(key.key): key.signals["activated()"] for key in reading._keys}
    assert list(keys) == ["1", "2", "3", "4", "5", "6", "Return"]
    keys["3"]()
    keys["2"]()
    keys["Return"]()
    (read,) = reads_of(ward, level.id)
    assert (read.diagnosis, read.box, read.name_given) == (Diagnosis.BENIGN_FRACTURE, None, level.name)
    assert read.mode is ReadMode.ASSISTED
    assert reading._sitting.task.level.id != level.id
    press(reading.layout.widgets, "Take the last answer back")
    assert reading._sitting.task.level.id == level.id
    assert [key for key, button in reading._panel._diagnoses.items() if button.checked] == ["benign_fracture"]


def test_a_moved_roi_and_all_that_was_filled_in_arrive(reading: Any, slicer: FakeSlicer, ward: Ward) -> None:
    task = reading._sitting.task
    panel = reading._panel
    roi = slicer.scene.rois()[0]
    to_ras = slicer.scene.volumes()[1].picture.affine
    roi.matrix = roi.matrix.copy()
    roi.matrix[:3, 3] += 2 * to_ras[:3, 0] - 3 * to_ras[:3, 1]
    panel.pick(2)
    panel._features["cleft"].setChecked(True)
    panel._confidence.setCurrentIndex(0)
    panel._basis.setCurrentIndex(1)
    panel._note.setText("a note")
    panel._name.setCurrentIndex(task.names.index("L6"))
    reading.submit()
    (read,) = reads_of(ward, task.level.id)
    assert (read.confidence, read.basis, read.note, read.name_given) == (5, "biopsy", "a note", "L6")
    assert read.features == {Feature.CLEFT}
    before = task.view_of(read_series(ward, read)).box
    assert read.box is not None
    assert read.box.as_tuple() == pytest.approx(np.add(before, [2, -3, 2, -3]), abs=1e-3)
    assert read.slice_index == 2
    assert panel._note.text == ""


def test_skipping_jumping_and_going_away(reading: Any, slicer: FakeSlicer, ward: Ward) -> None:
    first = reading._sitting.task.level.id
    press(reading.layout.widgets, "Skip")
    sitting = reading._sitting
    assert sitting.task.level.id != first
    slicer.views["Red"].centre = (0.0, 0.0, 0.0)
    press(reading.layout.widgets, "Jump")
    assert slicer.views["Red"].centre == slicer.views["Yellow"].centre
    assert reading._keep.interval == 300_000
    reading._keep.signals["timeout()"]()
    seat = Seat(ward_reader(sitting), sitting.tab)
    with ward.server.room.project.session() as session:
        assert held(session, seat) is not None
    reading.cleanup()
    with ward.server.room.project.session() as session:
        assert held(session, seat) is None
    assert slicer.scene.nodes == []


def test_what_goes_wrong_is_said_and_what_was_typed_stays(reading: Any, ward: Ward) -> None:
    name = ward_reader(reading._sitting)
    reading._panel.pick(2)
    reading._panel._note.setText("typed")
    address = reading._connection.address
    reading._connection.address = "http://127.0.0.1:9"
    reading.submit()
    assert "does not answer" in reading._said.text
    assert reading._panel._note.text == "typed"
    reading._connection.address, reading._connection._token = address, "run out"
    QInputDialog.typed[:] = ["", ""]
    reading.submit()
    assert "Nobody signed in" in reading._said.text
    QInputDialog.typed[:] = [name, PASSWORD]
    level = reading._sitting.task.level.id
    reading.submit()
    assert [read.note for read in reads_of(ward, level)] == ["typed"]


def test_a_closed_scene_is_filled_again(reading: Any, slicer: FakeSlicer) -> None:
    slicer.scene.Clear()
    reading._panel.pick(0)
    reading.submit()
    assert len(slicer.scene.volumes()) == 2
    assert len(slicer.scene.rois()) == 5
    assert np.linalg.det((RAS_LPS @ slicer.scene.rois()[0].matrix)[:3, :3]) == pytest.approx(1)


def test_a_blinded_level_shows_no_opinion(reading: Any, slicer: FakeSlicer, ward: Ward) -> None:
    reading._list.setCurrentIndex(1)
    reading.begin()
    assert reading._sitting.task.blinded
    assert reading._title.text.startswith(f"<b>{reading._sitting.task.level.name}</b>, blinded: next level")
    assert not any(bar.visible for bar in reading._panel._bars.values())
    level = reading._sitting.task.level.id
    reading._panel.pick(5)
    reading.submit()
    assert [read.mode for read in reads_of(ward, level)] == [ReadMode.BLINDED]


def test_rois_lie_right_on_pictures_that_are_turned_for_reading(
    widget: Any, slicer: FakeSlicer, tmp_path: Path
) -> None:
    desk = mirrored_desk(tmp_path)
    with desk.project.transaction() as session:
        for part in session.scalars(select(LevelSlice)):
            part.box = part.box.shifted(6.0, 0.0)  # so that a mirrored box is another one
    desk.project.engine.dispose()
    with running(tmp_path / "home", None, QuickPipeline()) as server:
        widget._address.setText(server.url)
        widget.begin()
        level = widget._sitting.task.level
        box = boxes()[LEVELS.index(level.name)].shifted(6.0, 0.0)
        roi = slicer.scene.rois()[0]
        np.testing.assert_allclose(
            (RAS_LPS @ roi.matrix)[:3, 3], frame().box_to_patient(box, 1, 3).centre, atol=1e-3
        )
        volume = slicer.scene.volumes()[1].picture
        x, y, z = (np.linalg.inv(volume.affine) @ roi.matrix[:, 3])[:3]
        assert np.asanyarray(volume.dataobj)[round(x), round(y), round(z)] >= 200  # in the bright block
        roi.matrix = roi.matrix.copy()
        roi.matrix[:3, 3] += (RAS_LPS[:3, :3] @ frame().matrix[:3, :3]) @ [2, -3, 0]
        widget._panel.pick(2)
        widget.submit()
        with server.room.project.session() as session:
            (read,) = session.scalars(select(Read).where(Read.level_id == level.id))
            assert read.box.as_tuple() == pytest.approx(box.shifted(2.0, -3.0).as_tuple(), abs=1e-3)
        widget._sitting.release()


def test_other_modules_keep_their_keys(reading: Any) -> None:
    reading.exit()
    assert not any(key.enabled for key in reading._keys)
    reading.enter()
    assert all(key.enabled for key in reading._keys)


def read_series(ward: Ward, read: Read) -> str:
    with ward.server.room.project.session() as session:
        series = session.get_one(Read, read.id).series
        assert series is not None
        return series.uid
