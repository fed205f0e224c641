"""A folder is sorted into studies and series; what is bad is listed and stops nothing."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_series import AXIAL, PATIENT, change, enhanced, frame, set_all, volume, written

from spine_fracture.dicom.reader import read_series
from spine_fracture.dicom.scan import Scan, scan
from spine_fracture.dicom.write import PatientTags, uid_from, write_series
from spine_fracture.errors import InputError
from spine_fracture.imaging import Plane, Sequence


def reasons(found: Scan) -> dict[str, str]:
    return {refusal.path.name: refusal.reason for refusal in found.refused}


def test_studies_and_series_are_found_wherever_their_files_lie(tmp_path: Path) -> None:
    other = PatientTags("patient-b", uid_from("study", "b"))
    for index, path in enumerate(written(tmp_path) + written(tmp_path, volume(sequence=Sequence.T1))):
        target = tmp_path / f"folder {index % 3}" / f"{9 - index}.bin"
        target.parent.mkdir(exist_ok=True)
        path.rename(target)
    write_series(volume((1, 20, 20), name="b", where=frame((1, 20, 20), AXIAL)), other, tmp_path)
    found = scan(tmp_path)
    assert found.refused == ()
    by_uid = {study.study_uid: study for study in found.studies}
    assert by_uid.keys() == {PATIENT.study_uid, other.study_uid}
    series = {s.sequence: s for s in by_uid[PATIENT.study_uid].series}
    assert series.keys() == {Sequence.T1, Sequence.T2}
    assert all(len(s.files) == 5 and s.plane is Plane.SAGITTAL for s in series.values())
    assert by_uid[other.study_uid].series[0].plane is Plane.AXIAL
    assert by_uid[other.study_uid].patient_id == "patient-b"


def test_reading_from_a_scan_is_reading_the_files(tmp_path: Path) -> None:
    files = written(tmp_path)
    series = scan(tmp_path).studies[0].series[0]
    first, second = series.read(), read_series(files)
    np.testing.assert_array_equal(first.pixels, second.pixels)
    np.testing.assert_array_equal(first.frame.matrix, second.frame.matrix)
    assert first.slice_uids == second.slice_uids


def test_an_enhanced_object_is_one_series_of_one_file(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    file = enhanced(written(tmp_path / "out"), tmp_path / "in" / "enhanced.dcm")
    series = scan(tmp_path / "in").studies[0].series[0]
    assert series.files == (file,)
    np.testing.assert_array_equal(series.read().pixels, volume().pixels)


def test_what_is_bad_is_listed_and_the_rest_goes_in(tmp_path: Path) -> None:
    good = written(tmp_path / "good")
    (tmp_path / "notes.txt").write_text("hello")
    cut = written(tmp_path / "cut", volume(name="cut"))[0]
    cut.write_bytes(cut.read_bytes()[:-9])
    ct = written(tmp_path / "ct", volume(name="ct"))
    set_all(ct, Modality="CT")
    gap = written(tmp_path / "gap", volume(name="gap"))
    gap[2].unlink()
    twin = tmp_path / "twin.dcm"
    twin.write_bytes(good[0].read_bytes())
    (tmp_path / "loop").symlink_to(tmp_path / "loop")  # cannot be opened, not even by root

    found = scan(tmp_path)
    why = reasons(found)
    assert "not a DICOM file" in why["notes.txt"]
    assert "truncated" in why[cut.name]
    assert all("CT, not MR" in why[path.name] for path in ct)
    gap_reason = next(why[path.name] for path in gap if path.name in why)
    assert gap_reason.startswith("Series of 4") and "uneven" in gap_reason
    assert "copy" in why["twin.dcm"]
    assert "cannot be opened" in why["loop"]
    uids = {s.series_uid for study in found.studies for s in study.series}
    assert uids == {volume().series_uid, volume(name="cut").series_uid}
    assert all(PATIENT.patient_key not in reason for reason in why.values())


def test_a_series_of_two_echoes_is_refused_whole(tmp_path: Path) -> None:
    files = written(tmp_path) + written(
        tmp_path, replace(volume(), slice_uids=tuple(f"1.2.{i}" for i in range(5)))
    )
    for path in files[5:]:
        change(path, lambda ds: setattr(ds, "EchoTime", 20))
    found = scan(tmp_path)
    assert found.studies == ()
    assert "same position" in found.refused[0].reason


def test_a_study_of_two_patients_is_refused_whole(tmp_path: Path) -> None:
    set_all(written(tmp_path)[:1], PatientID="somebody else")
    found = scan(tmp_path)
    assert found.studies == ()
    assert "several patients" in found.refused[0].reason and "somebody" not in found.refused[0].reason


def test_folders_that_cannot_be_scanned_say_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="empty"):
        scan(tmp_path)
    with pytest.raises(InputError, match="No such file"):
        scan(tmp_path / "nowhere")
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(InputError, match="Not a directory"):
        scan(file)


def test_linked_folders_are_read_once(tmp_path: Path) -> None:
    written(tmp_path / "elsewhere")
    inside = tmp_path / "inside"
    inside.mkdir()
    for name in ("one", "two"):
        (inside / name).symlink_to(tmp_path / "elsewhere")
    (inside / "round").symlink_to(inside)
    found = scan(inside)
    assert len(found.studies[0].series[0].files) == 5
    assert found.refused == ()


def test_what_lies_in_the_folder_itself_is_found_where_it_lies(tmp_path: Path) -> None:
    """Whatever the names of the links to it, beside it or further up."""
    files = written(tmp_path / "in" / "b" / "deep")
    (tmp_path / "in" / "a").symlink_to("b")
    (tmp_path / "in" / "b" / "aside").symlink_to("deep")
    assert scan(tmp_path / "in").files == tuple(sorted(files))


def test_a_file_keeps_the_name_of_its_link(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    linked = []
    for number, path in enumerate(written(tmp_path / "elsewhere")):
        linked.append(tmp_path / "in" / f"{number}.dcm")
        linked[-1].symlink_to(path)
    found = scan(tmp_path / "in")
    assert sorted(found.studies[0].series[0].files) == linked and found.refused == ()


def test_nothing_hidden_is_looked_at(tmp_path: Path) -> None:
    """A snapshot of the disk comes before the files themselves, and would make them copies of it."""
    files = written(tmp_path / "p1")
    shutil.copytree(tmp_path / "p1", tmp_path / ".snapshot" / "hourly.0" / "p1")
    (tmp_path / "p1" / f"._{files[0].name}").write_bytes(b"what a Mac keeps beside a file")
    found = scan(tmp_path)
    assert found.files == tuple(sorted(files)) and found.refused == ()
    (study,) = found.studies
    assert sorted(study.series[0].files) == sorted(files)


@pytest.fixture
def ordinary_user() -> Iterator[Path]:
    """A folder and no privileges: root reads everything, so as root the test runs as nobody."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield folder
    finally:
        os.seteuid(user)
        shutil.rmtree(folder)


def test_a_folder_without_rights_says_so(ordinary_user: Path) -> None:
    closed = ordinary_user / "closed"
    written(closed)
    closed.chmod(0)
    try:
        with pytest.raises(InputError, match="Permission denied"):
            scan(closed)
        assert "cannot be opened" in reasons(scan(ordinary_user))["closed"]
    finally:
        closed.chmod(0o700)
