"""Reports of others on their way in: matched by place and name, once, never blinded, and nothing is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from pathlib import Path

import pytest
from dicom.made_reports import changed, groups, items, without
from pydicom import dcmread
from pydicom.dataset import Dataset
from server.made_desk import DOUBLE, Desk, add_study, box_of, desk
from server.studies import study_uid

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.cohort.audit import record
from spine_fracture.cohort.models import ReadMode
from spine_fracture.cohort.protocol import Need, need
from spine_fracture.cohort.reads import evaluates
from spine_fracture.cohort.reports import ArrivalState, FeedPosition, ReceivedReport
from spine_fracture.cohort.splits import Split
from spine_fracture.cohort.states import ReadState
from spine_fracture.cohort.studies import find_study
from spine_fracture.dicom.grid import SeriesGrid
from spine_fracture.dicom.sr.reading import read_report
from spine_fracture.errors import BusyError, RemoteError
from spine_fracture.geometry import PixelBox
from spine_fracture.server.archive import Archive
from spine_fracture.server.dicomweb import stow
from spine_fracture.server.dicomweb.holdings import Holdings
from spine_fracture.server.reports.arrivals import FolderShelf
from spine_fracture.server.reports.authors import Kind
from spine_fracture.server.reports.desk import MOST_TRIES, Receiver, unmatched
from spine_fracture.server.reports.feed import Feed, FeedSilentError, Page
from spine_fracture.server.reports.intake import Intake

OHIF = Path(__file__).with_name("ohif-3.12-report.dcm")
L1, L3 = (Level.L1, Diagnosis.MALIGNANT, box_of(Level.L1)), (Level.L3, Diagnosis.NORMAL, box_of(Level.L3))


@pytest.fixture
def one(tmp_path: Path) -> Desk:
    return desk(tmp_path)


def standing(at: Desk) -> dict[Level, Diagnosis]:
    return {read.name_given: read.diagnosis for read in at.reads() if read.state is ReadState.SUBMITTED}


def reasons(at: Desk) -> str:
    with at.project.session() as session:
        return " ".join(" ".join((one.reason, *one.findings)) for one in unmatched(session))


def stored(at: Desk) -> bytes:
    """Everything in the database, and in what SQLite has yet to move into it."""
    return b"".join(path.read_bytes() for path in at.project.home.glob("spine.db*"))


def test_what_ohif_stored_is_a_read_at_its_place(one: Desk) -> None:
    one.take(OHIF.read_bytes())
    (read,) = one.reads()
    assert (read.level_id, read.name_given) == (one.level(Level.L3), Level.L3)
    assert (read.diagnosis, read.mode) == (Diagnosis.MALIGNANT, ReadMode.ASSISTED)
    assert read.box is not None and read.slice_index is not None
    assert max(abs(a - b) for a, b in zip(read.box.as_tuple(), (20, 40, 44, 54), strict=True)) < 0.5
    assert [row.state for row in one.received()] == [ArrivalState.TAKEN]
    assert reasons(one) == ""


def test_the_author_is_kept_without_the_name(one: Desk, tmp_path: Path) -> None:
    one.take(one.foreign(L1))
    one.take(one.foreign(L3, author="Roe^Richard"))
    readers = {read.reader for read in one.reads()}
    assert len(readers) == 2 and all(reader.startswith("sr-") for reader in readers)
    database = stored(one)
    for secret in (b"Doe", b"Roe", b"Richard"):
        assert secret not in database
    again = desk(tmp_path / "again")
    again.take(again.foreign(L1))
    assert {read.reader for read in again.reads()}.isdisjoint(readers)  # no other project can tell who it is


def test_reports_without_a_name_are_by_the_author_of_their_series(one: Desk) -> None:
    nameless = changed(one.foreign(L1), lambda ds: ds.ContentSequence.pop(2))
    assert read_report(nameless).observer.name == ""
    one.take(nameless)
    one.take(OHIF.read_bytes())
    assert len({read.reader for read in one.reads()}) == 2


def test_the_same_report_again_changes_nothing(one: Desk) -> None:
    for _ in range(3):
        one.take(one.foreign(L1, L3))
    assert len(one.reads()) == 2 and len(one.received()) == 1


def test_a_corrected_report_takes_the_place_of_the_earlier_one(one: Desk) -> None:
    one.take(one.foreign(L1, L3))
    one.take(one.foreign((Level.L1, Diagnosis.HEMANGIOMA, box_of(Level.L1)), number=2))
    assert standing(one) == {Level.L1: Diagnosis.HEMANGIOMA}
    one.take(one.foreign(number=3))
    assert standing(one) == {}
    assert all(read.state is not ReadState.DRAFT for read in one.reads())


def test_an_earlier_report_that_comes_late_says_nothing_any_more(one: Desk) -> None:
    one.take(one.foreign(L3, number=2))
    one.take(one.foreign(L1))
    assert standing(one) == {Level.L3: Diagnosis.NORMAL}
    assert reasons(one) == ""


def test_our_own_reports_are_known(one: Desk) -> None:
    one.read(Level.L1)
    one.sender().send()
    for path in one.reports_folder.rglob("*.dcm"):
        one.take(path.read_bytes())
    assert {row.state for row in one.received()} == {ArrivalState.OURS}
    assert len(one.reads()) == 1


def test_place_goes_before_name_and_a_name_one_off_is_a_correction(one: Desk) -> None:
    one.take(one.foreign((Level.L2, Diagnosis.NORMAL, box_of(Level.L3))))
    (read,) = one.reads()
    assert (read.level_id, read.name_given) == (one.level(Level.L3), Level.L2)


@pytest.mark.parametrize(
    ("name", "box", "words"),
    [
        (Level.L5, box_of(Level.L1), "says L5 but lies on L1"),
        (Level.L1, PixelBox(1, 1, 6, 5), "No vertebra was found"),
        (Level.L1, PixelBox(70, 4, 94, 18), "No vertebra was found"),
        (Level.L1, PixelBox(-500, 4, -480, 18), "No vertebra was found"),
    ],
)
def test_boxes_that_fit_nowhere_are_listed(one: Desk, name: Level, box: PixelBox, words: str) -> None:
    one.take(one.foreign((name, Diagnosis.NORMAL, box), L3))
    assert standing(one) == {Level.L3: Diagnosis.NORMAL}
    assert words in reasons(one)


def test_what_sticks_out_of_the_picture_is_cut(one: Desk) -> None:
    one.take(one.foreign((Level.L1, Diagnosis.NORMAL, PixelBox(20, -3, 44, 20))))
    (read,) = one.reads()
    assert read.box == PixelBox(20, 0, 44, 20)


def test_a_place_without_a_box_needs_the_right_name(one: Desk) -> None:
    def triangle(ds: Dataset) -> None:
        for group in groups(ds):
            (outline,) = (item for item in group.ContentSequence if item.ValueType == "SCOORD")
            outline.GraphicData = [25.0, 6.0, 40.0, 6.0, 32.0, 16.0]

    one.take(changed(one.foreign(L1), triangle))
    (read,) = one.reads()
    assert read.box is None and read.level_id == one.level(Level.L1)
    one.take(changed(one.foreign(L3, author="Other^One"), triangle))
    assert len(one.reads()) == 1 and "says L3 but lies on L1" in reasons(one)


def test_a_name_alone_will_do_when_there_is_one_such_level(one: Desk) -> None:
    def no_outline(ds: Dataset) -> None:
        for group in groups(ds):
            group.ContentSequence = [item for item in group.ContentSequence if item.ValueType != "SCOORD"]

    one.take(changed(one.foreign(L1, (Level.T4, Diagnosis.NORMAL, box_of(Level.L2))), no_outline))
    assert standing(one) == {Level.L1: Diagnosis.MALIGNANT}
    assert "no outline" in reasons(one)


def test_unknown_codes_are_listed_and_the_rest_is_taken(one: Desk) -> None:
    def unknown(ds: Dataset) -> None:
        group = groups(ds)[0]
        without(group, "121106")
        code = items(group, "121071")[0].ConceptCodeSequence[0]
        code.CodeValue, code.CodingSchemeDesignator = "X-1", "99ELSEWHERE"

    one.take(changed(one.foreign(L1, L3), unknown))
    assert standing(one) == {Level.L3: Diagnosis.NORMAL}
    assert "X-1 (99ELSEWHERE)" in reasons(one)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda ds: setattr(ds, "PatientID", "somebody else"), "another patient"),
        (lambda ds: setattr(ds, "PatientID", ""), "another patient"),
        (lambda ds: setattr(ds, "StudyInstanceUID", "1.2.3.4"), "not in the catalogue"),
        (lambda ds: ds.ContentSequence.pop(), "no measurements"),
    ],
)
def test_what_is_not_ours_to_take_is_listed_with_the_reason(
    one: Desk, edit: Callable[[Dataset], object], words: str
) -> None:
    one.take(changed(one.foreign(L1), edit))
    assert one.reads() == []
    assert [row.state for row in one.received()] == [ArrivalState.UNMATCHED]
    assert words in reasons(one)


def test_pictures_of_other_studies_are_not_ours(one: Desk) -> None:
    def elsewhere(ds: Dataset) -> None:
        for item in groups(ds)[0].ContentSequence:
            if item.ValueType == "SCOORD":
                item.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID = "1.2.3.4.5"

    one.take(changed(one.foreign(L1), elsewhere))
    assert one.reads() == [] and "does not have here" in reasons(one)


def test_a_program_is_not_a_reader(one: Desk) -> None:
    from spine_fracture.server.reports.outbox import queue_model_report

    with one.project.transaction() as session:
        queue_model_report(session, find_study(session, one.study), "quick-1", "quick-1")
    one.sender(Kind.MODEL).send()
    data = next(one.reports_folder.rglob("*.dcm")).read_bytes()
    one.take(changed(data, lambda ds: setattr(ds, "SOPInstanceUID", "1.2.3.4.5")))
    assert one.reads() == [] and "A program wrote it" in reasons(one)


def test_a_read_of_the_reading_room_is_never_replaced_by_a_report(one: Desk) -> None:
    found = read_report(one.foreign(L1))
    with one.project.transaction() as session:
        session.add(_announced(found.sop_uid, found.series_uid, one.study, "reader-1"))
    one.read(Level.L1, Diagnosis.NORMAL)
    one.take(one.foreign(L1))
    assert standing(one) == {Level.L1: Diagnosis.NORMAL}
    assert "in the reading room" in reasons(one)


def _announced(sop_uid: str, series_uid: str, study: str, author: str) -> ReceivedReport:
    return ReceivedReport(sop_uid=sop_uid, series_uid=series_uid, study_uid=study, author=author)


def test_who_stored_it_through_us_is_its_reader(one: Desk) -> None:
    """As the STOW route of a server over a folder leaves it: a row with the principal, and the file."""
    found = read_report(one.foreign(L1))
    with one.project.transaction() as session:
        session.add(_announced(found.sop_uid, found.series_uid, one.study, "reader-7"))
    receiver = Receiver(
        one.project, Intake(one.project, one.protocol), FolderShelf(one.reports_folder), feed=None
    )
    receiver.look()
    assert one.reads() == []  # its file has not come yet
    path = one.reports_folder / one.study / f"{found.sop_uid}.dcm"
    path.parent.mkdir(parents=True)
    path.write_bytes(one.foreign(L1))
    receiver.look()
    receiver.look()
    assert [read.reader for read in one.reads()] == ["reader-7"]
    assert {row.author for row in one.rows()} == {"reader reader-7"}  # in our codes, too


def test_a_report_that_comes_before_its_study_is_looked_at_again(one: Desk, tmp_path: Path) -> None:
    late = desk(tmp_path / "late", "phantom-000003")
    data = late.foreign(L1)
    one.take(data)
    assert "take the study in" in reasons(one)
    receiver = Receiver(
        one.project, Intake(one.project, one.protocol), FolderShelf(tmp_path / "shelf"), feed=None
    )
    path = tmp_path / "shelf" / study_uid("phantom-000003") / f"{read_report(data).sop_uid}.dcm"
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    receiver.look()
    assert "take the study in" in reasons(one)
    _take_in(one, late)
    receiver.look()
    with one.project.session() as session:
        levels = find_study(session, late.study).levels
        assert sum(len(level.reads) for level in levels) == 1
    assert reasons(one) == ""


def _take_in(at: Desk, other: Desk) -> None:
    from server.studies import reading

    from spine_fracture.cohort.ingest import ingest
    from spine_fracture.cohort.levels import store_reading
    from spine_fracture.cohort.studies import load_pair

    ingest(other.files[0].parent, "Test centre", at.project)
    with at.project.transaction() as session:
        pair = load_pair(session, other.study)
        store_reading(session, reading(pair.reference, other.study))


def test_a_foreign_read_judges_no_model(one: Desk) -> None:
    with one.project.transaction() as session:
        find_study(session, one.study).patient.split = Split.TEST
    one.take(one.foreign(L1))
    with one.project.session() as session:
        level = next(x for x in find_study(session, one.study).levels if x.name is Level.L1)
        (read,) = level.reads
        assert read.state is ReadState.SUBMITTED and not evaluates(read)
        assert need(level, DOUBLE) is Need.FIRST_READ  # it is still read blinded


def test_a_dispute_with_a_foreign_read_reaches_the_adjudicator(one: Desk) -> None:
    one.read(Level.L1, Diagnosis.NORMAL)
    one.sender().send()
    one.take(one.foreign(L1))
    with one.project.session() as session:
        level = next(x for x in find_study(session, one.study).levels if x.name is Level.L1)
        assert need(level, one.protocol) is Need.ADJUDICATION
    assert one.sender().send().stored == 2  # the report of the first reader leaves it out until then


def test_boxes_of_ohif_on_pixels_that_are_not_square_are_not_believed(one: Desk) -> None:
    from dicom.made_series import set_all

    spacing = ["1.5", "1.2"]
    set_all(tuple(one.files), PixelSpacing=spacing)
    one.take(OHIF.read_bytes())
    assert one.reads() == [] and "not square" in reasons(one)
    one.take(one.foreign(L1))
    assert len(one.reads()) == 1


def test_nothing_that_names_people_is_kept_of_a_report(one: Desk) -> None:
    def talkative(ds: Dataset) -> None:
        items(groups(ds)[0], "121106")[0].TextValue = "L1 malignant, seen with Jane Doe"

    one.take(changed(one.foreign(L1), talkative))
    assert [read.note for read in one.reads()] == [""]
    assert b"Jane" not in stored(one)


def _naming(at: Desk, data: bytes, study: str = "") -> bytes:
    """A report of somebody else that calls the one in ``data`` its predecessor."""
    before = read_report(data)

    def claim(ds: Dataset) -> None:
        (named,) = ds.PredecessorDocumentsSequence
        named.StudyInstanceUID = study or ds.StudyInstanceUID
        named.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID = before.sop_uid

    return changed(at.foreign(L3, author="Roe^Richard", number=2), claim)


def test_a_report_takes_the_place_of_its_own_authors_alone(one: Desk) -> None:
    data = one.foreign(L1)
    one.take(_naming(one, data))
    one.take(data)
    assert standing(one) == {Level.L1: Diagnosis.MALIGNANT, Level.L3: Diagnosis.NORMAL}
    assert len({row.author for row in one.received()}) == 2


def test_a_report_takes_no_place_in_another_study(one: Desk) -> None:
    data = one.foreign(L1)
    one.take(_naming(one, data, study="1.2.3.4"))
    assert read_report(data).sop_uid not in {row.sop_uid for row in one.received()}


def test_our_own_report_is_known_though_somebody_claims_its_place(one: Desk) -> None:
    one.read(Level.L1)
    one.sender().send()
    ours = next(one.reports_folder.rglob("*.dcm")).read_bytes()
    one.take(_naming(one, ours))
    one.take(ours)
    assert [read.reader[:3] for read in one.reads()] == ["rea", "sr-"]


def test_a_report_stored_through_us_is_kept_though_somebody_claims_its_place(one: Desk) -> None:
    data = one.foreign(L1)
    one.take(_naming(one, data))
    found = read_report(data)
    sent = stow.SentReport(found.study_uid, found.series_uid, found.sop_uid, "", one.patient, data)
    assert stow.note(one.project, sent, "reader-7") is stow.Came.NEW
    one.take(data)
    assert {read.reader for read in one.reads() if read.name_given is Level.L1} == {"reader-7"}
    assert stow.note(one.project, sent, "reader-7") is stow.Came.KEPT


@dataclass
class Changes:
    """A feed of one page with these files; ``told`` counts how often it was asked for it."""

    files: dict[str, bytes]
    told: int = 0
    name: str = "changes"

    def since(self, position: int | None) -> Page:
        self.told += position is None
        return Page(tuple(self.files) if position is None else (), 1, done=position is not None)

    def report(self, instance: str) -> bytes:
        return self.files[instance]

    def close(self) -> None:
        return None


def _receiver(at: Desk, feed: Changes | None = None) -> Receiver:
    return Receiver(
        at.project,
        Intake(at.project, at.protocol),
        FolderShelf(at.reports_folder),
        feed,  # type: ignore[arg-type]
    )


def test_a_report_that_cannot_be_read_is_listed(one: Desk) -> None:
    nameless = changed(one.foreign(L3, author="Roe^Richard"), lambda ds: delattr(ds, "SeriesInstanceUID"))
    feed = Changes({"a-1": b"damaged", "a-2": nameless, "a-3": one.foreign(L1)})
    receiver = _receiver(one, feed)
    receiver.look()
    receiver.look()
    assert feed.told == 1 and standing(one) == {Level.L1: Diagnosis.MALIGNANT}
    damaged, without_series, _ = one.received()
    assert (damaged.sop_uid, damaged.state) == ("a-1", ArrivalState.UNMATCHED)
    assert "send the report again" in damaged.reason
    assert without_series.sop_uid == dcmread(BytesIO(nameless)).SOPInstanceUID
    assert without_series.state is ArrivalState.UNMATCHED and "lacks the UIDs" in without_series.reason


def _break_reading(monkeypatch: pytest.MonkeyPatch, where: str, of: bytes, error: Exception) -> None:
    def read(data: bytes) -> object:
        if data == of:
            raise error
        return read_report(data)

    monkeypatch.setattr(f"spine_fracture.server.reports.{where}.read_report", read)


@pytest.mark.parametrize("where", ["desk", "intake"])
def test_a_defect_of_ours_on_one_report_does_not_stop_the_feed(
    one: Desk, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    bad = one.foreign(L3, author="Roe^Richard")
    _break_reading(monkeypatch, where, bad, ZeroDivisionError("Roe"))
    feed = Changes({"a-1": bad, "a-2": one.foreign(L1)})
    _receiver(one, feed).look()
    assert standing(one) == {Level.L1: Diagnosis.MALIGNANT}
    assert [row.state for row in one.received()] == [ArrivalState.UNMATCHED, ArrivalState.TAKEN]
    assert "defect of ours" in reasons(one) and "Roe" not in reasons(one)


def _stored_by_us(at: Desk, data: bytes) -> None:
    """As a reader's save leaves it: a row with their name, and the file."""
    found = read_report(data)
    with at.project.transaction() as session:
        session.add(_announced(found.sop_uid, found.series_uid, at.study, "reader-7"))
    path = at.reports_folder / at.study / f"{found.sop_uid}.dcm"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def test_a_defect_of_ours_on_one_report_does_not_stop_the_rows_after_it(
    one: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = one.foreign(L3, author="Roe^Richard"), one.foreign(L1)
    for data in (bad, good):
        _stored_by_us(one, data)
    _break_reading(monkeypatch, "intake", bad, ZeroDivisionError())
    _receiver(one).look()
    assert standing(one) == {Level.L1: Diagnosis.MALIGNANT}
    assert [row.state for row in one.received()] == [ArrivalState.UNMATCHED, ArrivalState.TAKEN]


@dataclass(frozen=True)
class StuckShelf(FolderShelf):
    """One that cannot give the files of ``study`` now."""

    study: str

    def fetch(self, report: ReceivedReport) -> bytes:
        if report.study_uid == self.study:
            raise RemoteError("The archive answered with HTTP 500.")
        return super().fetch(report)


def test_a_report_that_cannot_be_fetched_does_not_hold_up_those_of_other_studies(
    one: Desk, tmp_path: Path
) -> None:
    stuck = add_study(one, tmp_path / "more", "phantom-000003")
    with one.project.transaction() as session:
        session.add(_announced("2.25.1", "2.25.2", stuck, "reader-7"))
    _stored_by_us(one, one.foreign(L1))
    receiver = _receiver(one)
    receiver.shelf = StuckShelf(one.reports_folder, stuck)
    with pytest.raises(RemoteError, match="HTTP 500"):  # so that it is tried again later
        receiver.look()
    assert standing(one) == {Level.L1: Diagnosis.MALIGNANT}
    assert [row.state for row in one.received()] == [ArrivalState.ARRIVED, ArrivalState.TAKEN]


class SilentChanges(Changes):
    def since(self, position: int | None) -> Page:
        raise FeedSilentError("The archive does not answer.")


def test_what_was_stored_through_us_is_taken_in_though_the_feed_is_silent(one: Desk) -> None:
    _stored_by_us(one, one.foreign(L1))
    with pytest.raises(RemoteError, match="does not answer"):
        _receiver(one, SilentChanges({})).look()
    assert [read.reader for read in one.reads()] == ["reader-7"]


@dataclass
class HalfBroken(Changes):
    """The archive tells of every change, and cannot give ``stuck``."""

    stuck: str = "a-1"
    error: type[RemoteError] = FeedSilentError

    def report(self, instance: str) -> bytes:
        if instance == self.stuck:
            raise self.error("HTTP 500")
        return super().report(instance)


def test_an_instance_that_the_archive_cannot_give_is_passed_over_after_some_tries(
    one: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    receiver = _receiver(one, HalfBroken({"a-1": b"", "a-2": one.foreign(L1)}))
    for _ in range(MOST_TRIES - 1):
        with pytest.raises(RemoteError):
            receiver.look()
    assert one.reads() == [] and one.received() == []
    receiver.look()
    assert standing(one) == {Level.L1: Diagnosis.MALIGNANT}
    assert one.received()[0].state is ArrivalState.UNMATCHED and "did not give it out" in reasons(one)
    assert "passed over" in caplog.text and "a-1" not in caplog.text
    with one.project.session() as session:
        assert session.get_one(FeedPosition, "changes").value == 1


def test_nothing_is_passed_over_because_we_are_not_allowed_to_ask(one: Desk) -> None:
    receiver = _receiver(one, HalfBroken({"a-1": b""}, error=RemoteError))
    for _ in range(MOST_TRIES + 1):
        with pytest.raises(RemoteError):
            receiver.look()
    assert one.received() == []


@pytest.mark.parametrize(("status", "silent"), [(500, True), (503, True), (401, False), (403, False)])
def test_the_feed_tells_what_is_broken_from_what_is_forbidden(
    tmp_path: Path, status: int, silent: bool
) -> None:
    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return None

    archive = HTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=archive.serve_forever, daemon=True).start()
    feed = Feed.of(Archive(f"http://127.0.0.1:{archive.server_port}/dicom-web", tmp_path))
    assert feed is not None
    try:
        with pytest.raises(RemoteError) as error:
            feed.report("a-1")
        assert isinstance(error.value, FeedSilentError) is silent
    finally:
        feed.close()
        archive.shutdown()
        archive.server_close()


def test_others_may_write_while_the_pictures_of_a_report_are_read(
    one: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parts = Holdings.study, SeriesGrid.of_files

    def somebody_writes() -> None:
        with one.project.transaction() as session:
            record(session, "test.written", "somebody else")

    monkeypatch.setattr(Holdings, "study", lambda *given: somebody_writes() or whole(*given))
    monkeypatch.setattr(SeriesGrid, "of_files", lambda *given: somebody_writes() or parts(*given))
    one.take(one.foreign(L1))
    assert standing(one) == {Level.L1: Diagnosis.MALIGNANT}


def test_pictures_that_do_not_open_any_more_are_said_in_words(one: Desk) -> None:
    data = one.foreign(L1)
    for file in one.files:
        file.unlink()
    one.take(data)
    assert one.reads() == [] and "cannot be opened any more" in reasons(one)


def test_a_busy_database_is_no_reason_to_give_a_report_up(one: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    data = one.foreign(L1)
    feed = Changes({"a-1": data})
    with monkeypatch.context() as broken:
        _break_reading(broken, "intake", data, BusyError("busy"))
        with pytest.raises(BusyError):
            _receiver(one, feed).look()
    assert [row.state for row in one.received()] == [ArrivalState.ARRIVED]
    _receiver(one, feed).look()
    assert [row.state for row in one.received()] == [ArrivalState.TAKEN] and feed.told == 2
