"""The Slicer module's logic, without Slicer, against the real server with users."""

from __future__ import annotations

import ast
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from clients.conftest import MODULE, PASSWORD, Ward
from clients.sittings import answers_lost, at_hand, reads_by, signed_in
from hypothesis import given, settings
from hypothesis import strategies as st
from server.studies import frame
from spine_fracture_reading import words
from spine_fracture_reading.connection import Connection, ServerError, SignInNeededError, UnreachableError
from spine_fracture_reading.reading import Answer, BoxOnSlice, Sitting
from spine_fracture_reading.roi import Roi, box_of, moved, roi_of, slice_of

from spine_fracture.anatomy import FEATURE_MEANINGS, Basis, Diagnosis, Feature
from spine_fracture.cohort.desk import SkipReason, WorkList
from spine_fracture.cohort.models import ReadMode
from spine_fracture.cohort.people import Role
from spine_fracture.geometry import PixelBox


def test_words_are_those_of_the_server() -> None:
    assert list(words.DIAGNOSES) == list(Diagnosis)
    assert {Feature(key): text for key, text in words.FEATURES.items()} == FEATURE_MEANINGS
    assert set(words.BASES) == set(Basis)
    assert set(words.SKIP_REASONS) == set(SkipReason)
    assert set(words.WORK_LISTS) == set(WorkList)


@pytest.mark.parametrize("file", sorted(MODULE.rglob("*.py")), ids=lambda file: file.name)
def test_slicers_python_understands_it(file: Path) -> None:
    """Slicer 5.2 came with Python 3.9; what needs Slicer to run stays in the files that say so."""
    tree = ast.parse(file.read_text(), feature_version=(3, 9))
    top = {part.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for part in n.names}
    top |= {(n.module or "").split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
    of_slicer = top & {"slicer", "qt", "ctk", "vtk"}
    assert bool(of_slicer) == (file.name in ("SpineFractureReading.py", "scene.py", "panel.py"))


def test_nobody_reads_without_signing_in(ward: Ward) -> None:
    connection = Connection(ward.url)
    assert connection.needs_sign_in()
    with pytest.raises(SignInNeededError, match="Sign in"):
        Sitting(connection).next()
    with pytest.raises(ServerError, match="password"):
        connection.sign_in("first", "a wrong password")
    assert not signed_in(ward, "punctual").needs_sign_in()


def test_a_level_is_read_with_its_corrected_box_and_name(ward: Ward, tmp_path: Path) -> None:
    sitting = Sitting(signed_in(ward, "reads-all"))
    task = at_hand(sitting)
    assert not task.blinded
    assert task.why
    assert set(task.probabilities) == {"normal", "benign_fracture", "malignant", "hemangioma"}
    assert [picture.role for picture in task.to_show()] == ["t1", "t2"]
    files = [sitting.fetch(picture, tmp_path) for picture in task.to_show()]
    t1, t2 = (np.asanyarray(nibabel.load(file).dataobj) for file in files)
    assert t1.shape == t2.shape == (64, 96, 5)
    assert not np.array_equal(t1, t2)
    series = task.to_show()[1].uid
    view = task.view_of(series)
    assert view is not None
    x0, y0, x1, y1 = view.box
    drawn = BoxOnSlice(series, view.sop, view.slice, (x0 + 1.5, y0, x1 + 1.5, y1))
    name = "L6" if task.level.name == "L5" else "L5"
    answer = Answer("malignant", ("nodular_lesion", "cleft"), 4, "biopsy", "a note", name, drawn)
    assert sitting.submit(answer, seconds=12.34) == ()
    (read,) = reads_by(ward, "reads-all")
    assert (read.level_id, read.diagnosis, read.name_given) == (task.level.id, Diagnosis.MALIGNANT, name)
    assert (read.confidence, read.basis, read.note, read.seconds) == (4, Basis.BIOPSY, "a note", 12.3)
    assert read.features == {Feature.NODULAR_LESION, Feature.CLEFT}
    assert (read.box, read.slice_index) == (PixelBox(*drawn.box), view.slice)
    assert read.mode is ReadMode.ASSISTED
    following = at_hand(sitting)
    assert following.level.id != task.level.id
    again = sitting.undo()
    assert again.level.id == task.level.id
    assert again.earlier == Answer(
        "malignant", ("cleft", "nodular_lesion"), 4, "biopsy", "a note", name, drawn
    )
    assert reads_by(ward, "reads-all") == []


def test_a_blinded_reader_is_told_nothing(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[dict[str, Any]] = []
    post = Connection.post

    def listening(self: Connection, path: str, content: dict[str, Any]) -> dict[str, Any]:
        heard.append(post(self, path, content))
        return heard[-1]

    monkeypatch.setattr(Connection, "post", listening)
    connection = signed_in(ward, "blind")
    sitting = Sitting(connection, "blinded")
    task = at_hand(sitting)
    assert task.blinded
    assert (task.probabilities, task.uncertainty, task.why) == ({}, None, "next level")
    assert heard[-1]["opinion"] is None
    assert heard[-1]["reads"] == []
    for path in (f"/review/levels/{task.level.id}/similar", "/datastore/label"):
        with pytest.raises(ServerError, match=r"blinded|yours to see"):
            connection.get(path, label=task.to_show()[1].uid, tag="final")
    sitting.submit(Answer("normal"), 3.0)
    assert [read.mode for read in reads_by(ward, "blind")] == [ReadMode.BLINDED]


def test_two_windows_never_get_one_level_and_a_released_one_is_free(ward: Ward) -> None:
    one, other = Sitting(signed_in(ward, "left-hand")), Sitting(signed_in(ward, "right-hand"))
    first = at_hand(one)
    assert at_hand(other).level.id != first.level.id
    assert at_hand(one).level.id == first.level.id
    one.renew()
    one.release()
    assert one.task is None
    other.skip("cannot_decide", "motion")
    assert at_hand(other).level.id == first.level.id
    other.release()


def test_a_skipped_level_does_not_come_again(ward: Ward) -> None:
    sitting = Sitting(signed_in(ward, "skips"))
    seen = set()
    while (task := sitting.next()) is not None:
        assert task.level.id not in seen
        seen.add(task.level.id)
        sitting.skip("poor_quality")
    assert "Nothing is left" in sitting.message
    with pytest.raises(ValueError, match="No level lies before"):
        sitting.submit(Answer("normal"), 1.0)
    with pytest.raises(ValueError, match="No level is kept"):
        sitting.skip("poor_quality")


def test_an_answer_lost_on_the_way_is_stored_once(ward: Ward) -> None:
    sitting = Sitting(signed_in(ward, "far-away"))
    task = at_hand(sitting)
    with answers_lost(), pytest.raises(UnreachableError):
        sitting.submit(Answer("benign_fracture", note="kept"), 5.0)
    assert sitting.task is task
    sitting.submit(Answer("benign_fracture", note="kept"), 9.0)
    assert [(read.note, read.seconds) for read in reads_by(ward, "far-away")] == [("kept", 5.0)]


def test_an_answer_changed_after_it_was_lost_replaces_the_first(ward: Ward) -> None:
    sitting = Sitting(signed_in(ward, "second-thoughts"))
    at_hand(sitting)
    with answers_lost(), pytest.raises(UnreachableError):
        sitting.submit(Answer("normal"), 5.0)
    sitting.submit(Answer("malignant"), 9.0)
    assert [read.diagnosis for read in reads_by(ward, "second-thoughts")] == [Diagnosis.MALIGNANT]


def test_a_sign_in_that_ran_out_loses_nothing(ward: Ward) -> None:
    connection = signed_in(ward, "slow")
    sitting = Sitting(connection)
    at_hand(sitting)
    connection._token = "run out"
    with pytest.raises(SignInNeededError):
        sitting.submit(Answer("normal"), 5.0)
    connection.sign_in("slow", PASSWORD)
    sitting.submit(Answer("normal"), 5.0)
    assert len(reads_by(ward, "slow")) == 1


def test_who_may_not_read_is_told_so(ward: Ward) -> None:
    with pytest.raises(ServerError, match="role") as refused:
        Sitting(signed_in(ward, "manager", Role.DATA_MANAGER)).next()
    assert refused.value.status == 403


def test_a_server_that_is_not_there_says_so() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(UnreachableError, match="does not answer"):
        Connection(f"http://127.0.0.1:{port}").needs_sign_in()


@pytest.mark.parametrize("address", ["", "localhost:8000", "ftp://x", "http://", "http://me:secret@host"])
def test_an_address_that_cannot_be_one_is_refused(address: str) -> None:
    with pytest.raises(ServerError, match="looks like"):
        Connection(address)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 500 No\r\nContent-Length: 3\r\n\r\nno!",
        b"HTTP/1.1 307 Elsewhere\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_another_kind_of_server_is_recognised_and_never_followed(answer: bytes) -> None:
    with pytest.raises(ServerError) as refused:
        _ask(answer)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"])
def test_a_connection_that_breaks_off_says_so(answer: bytes) -> None:
    with pytest.raises(UnreachableError):
        _ask(answer)


def test_a_picture_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhalf"
    with pytest.raises(UnreachableError, match="did not arrive whole"), answering(half) as connection:
        connection.download("/datastore/image", tmp_path / "a.nii.gz", image="1.2")
    assert not (tmp_path / "a.nii.gz").exists()


@settings(deadline=None)
@given(
    st.tuples(*(st.floats(0, 60) for _ in range(2))),
    st.tuples(*(st.floats(2, 30) for _ in range(2))),
    st.sets(st.integers(0, 4), min_size=1),
)
def test_boxes_become_rois_and_rois_boxes(
    corner: tuple[float, float], size: tuple[float, float], slices: set[int]
) -> None:
    affine = frame().to_nifti_affine()
    box = (corner[0], corner[1], corner[0] + size[0], corner[1] + size[1])
    roi = roi_of(dict.fromkeys(slices, box), affine)
    assert np.linalg.det(roi.object_to_ras[:3, :3]) == pytest.approx(1)
    assert box_of(roi, affine) == pytest.approx(box, abs=1e-6)
    assert min(slices) <= slice_of(roi, affine, 5) <= max(slices)
    in_space = frame().box_to_patient(PixelBox(*box), min(slices), max(slices))
    ras = sorted(tuple(np.round(c * [-1, -1, 1], 5)) for c in in_space.corners())
    np.testing.assert_allclose(sorted(tuple(np.round(c, 5)) for c in roi.corners()), ras, atol=1e-4)
    assert not moved(roi, roi, affine)
    shifted = roi.object_to_ras.copy()
    shifted[:3, 3] += affine[:3, 0]
    assert moved(roi, Roi(shifted, roi.size), affine)
    assert slice_of(Roi(np.eye(4) * 1e4, (1.0, 1.0, 1.0)), affine, 5) in range(5)


@contextmanager
def answering(answer: bytes) -> Iterator[Connection]:
    """A server that gives one fixed answer, whatever it is asked."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            client, _ = listening.accept()
            with client:
                client.recv(65536)
                client.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield Connection(f"http://127.0.0.1:{listening.getsockname()[1]}")


def _ask(answer: bytes) -> None:
    with answering(answer) as connection:
        connection.get("/auth/")
