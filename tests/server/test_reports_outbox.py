"""Reads on their way out: rows with the read, files written once, later ones in place of earlier ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from threading import Event

import pytest
from dicom.made_reports import complaints, groups, items
from pydicom import dcmread
from pydicom.dataset import FileDataset
from server.made_desk import DOUBLE, TRAIN, Desk, box_of, desk, mirrored_desk
from server.studies import reading
from sqlalchemy.exc import OperationalError

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.cohort.adjudication import adjudicate
from spine_fracture.cohort.levels import store_reading
from spine_fracture.cohort.models import ReadMode
from spine_fracture.cohort.outlines import remove_level
from spine_fracture.cohort.reads import DrawnBox, ReadSubmission
from spine_fracture.cohort.reports import Report, ReportForm, ReportState
from spine_fracture.cohort.splits import Split, split_of
from spine_fracture.cohort.studies import find_study, load_pair
from spine_fracture.dicom.sr.found import FoundReport
from spine_fracture.dicom.sr.reading import read_report
from spine_fracture.errors import BusyError, ForbiddenError, InputError, RemoteError, StorageError
from spine_fracture.geometry import PixelBox
from spine_fracture.server.reports.authors import Kind
from spine_fracture.server.reports.desk import overview
from spine_fracture.server.reports.outbox import queue_model_report, queue_reports, retry_failed, waiting


@pytest.fixture
def one(tmp_path: Path) -> Desk:
    return desk(tmp_path)


def files(at: Desk) -> list[FoundReport]:
    """The reports in the folder, each series oldest first."""
    found = [(dcmread(path), path.read_bytes()) for path in at.reports_folder.rglob("*.dcm")]
    found.sort(key=lambda one: (one[0].SeriesInstanceUID, one[0].InstanceNumber))
    return [read_report(data) for _, data in found]


def viewer_form(at: Desk) -> list[FoundReport]:
    series = {row.series_uid for row in at.rows() if row.form is ReportForm.VIEWER}
    return [report for report in files(at) if report.series_uid in series]


def document(at: Desk, report: FoundReport) -> FileDataset:
    """The file of a report: what nobody takes in is read there."""
    return dcmread(at.reports_folder / at.study / f"{report.sop_uid}.dcm")


def tracked(at: Desk, report: FoundReport) -> list[str]:
    return [items(group, "112040")[0].UID for group in groups(document(at, report))]


def test_a_read_becomes_two_reports_that_say_it(one: Desk) -> None:
    series = _series(one)[0]
    box = PixelBox(21.5, 4.0, 43.0, 17.25)
    one.read(Level.L1, note="a note", box=DrawnBox(series, 2, box))
    assert [row.state for row in one.rows()] == [ReportState.WAITING] * 2
    assert one.sender().send().stored == 2
    assert [row.state for row in one.rows()] == [ReportState.STORED] * 2
    assert len(files(one)) == 2
    for report in files(one):
        (said,) = report.statements
        assert (said.level, said.diagnosis, said.confidence) == (Level.L1, Diagnosis.MALIGNANT, 4)
        assert said.region is not None and said.region.box is not None
        assert said.region.box.as_tuple() == pytest.approx(box.as_tuple(), abs=1e-4)
        assert report.observer.name == "reader-1^" and report.patient_id == TRAIN


def _series(at: Desk) -> list[str]:
    with at.project.session() as session:
        return [series.uid for series in find_study(session, at.study).series]


def test_a_box_left_as_it_was_is_the_levels_own(one: Desk) -> None:
    one.read(Level.L2)
    one.sender().send()
    (report,) = viewer_form(one)
    region = report.statements[0].region
    assert region is not None and region.box is not None
    assert region.box.as_tuple() == pytest.approx(box_of(Level.L2).as_tuple())


def test_boxes_are_in_the_pixels_of_the_files_and_come_back_as_ours(tmp_path: Path) -> None:
    at = mirrored_desk(tmp_path)
    at.read(Level.L2)
    at.sender().send()
    (report,) = viewer_form(at)
    region = report.statements[0].region
    assert region is not None and region.box is not None
    ours = box_of(Level.L2)
    mirrored = PixelBox(64 - ours.x1 + 0.5, ours.y0, 64 - ours.x0 + 0.5, ours.y1)
    assert region.box.as_tuple() == pytest.approx(mirrored.shifted(-0.5, 0).as_tuple(), abs=1e-3)
    at.take(at.foreign((Level.L2, Diagnosis.NORMAL, mirrored)))
    box = next(read.box for read in at.reads() if read.reader != "reader-1")
    assert box is not None
    assert box.as_tuple() == pytest.approx(ours.shifted(-0.5, 0).as_tuple(), abs=1e-3)


def test_each_read_adds_an_instance_that_holds_all(one: Desk) -> None:
    for name in (Level.L1, Level.L2, Level.L3):
        one.read(name)
        one.sender().send()
    reports = viewer_form(one)
    assert [document(one, report).InstanceNumber for report in reports] == [1, 2, 3]
    assert [len(report.statements) for report in reports] == [1, 2, 3]
    assert [report.replaces for report in reports[1:]] == [(report.sop_uid,) for report in reports[:-1]]
    assert tracked(one, reports[2])[:2] == tracked(one, reports[1])


def test_reads_before_the_report_is_written_share_it(one: Desk) -> None:
    for name in (Level.L1, Level.L2, Level.L3):
        one.read(name)
    assert len(one.rows()) == 2
    one.sender().send()
    assert [len(report.statements) for report in viewer_form(one)] == [3]


def test_a_corrected_read_keeps_its_tracking_uid(one: Desk) -> None:
    one.read(Level.L1)
    one.sender().send()
    one.read(Level.L1, Diagnosis.NORMAL)
    one.sender().send()
    first, second = viewer_form(one)
    assert second.statements[0].diagnosis is Diagnosis.NORMAL
    assert tracked(one, second) == tracked(one, first)


def test_a_withdrawn_read_is_superseded_and_not_deleted(one: Desk) -> None:
    read = one.read(Level.L1)
    one.sender().send()
    one.withdraw(read)
    one.sender().send()
    first, second = viewer_form(one)
    assert len(first.statements) == 1 and second.statements == ()
    assert second.replaces == (first.sop_uid,)


def test_what_was_withdrawn_before_it_was_written_is_never_written(one: Desk) -> None:
    one.withdraw(one.read(Level.L1))
    assert one.sender().send().stored == 0
    assert one.rows() == [] and files(one) == []


def test_a_report_that_would_say_the_same_is_not_stored(one: Desk) -> None:
    one.read(Level.L1)
    one.sender().send()
    with one.project.transaction() as session:
        level = next(x for x in find_study(session, one.study).levels if x.name is Level.L1)
        queue_reports(session, level, one.protocol)
    assert len(one.rows()) == 4
    assert one.sender().send().stored == 0
    assert len(one.rows()) == 2 and len(files(one)) == 2


def test_what_was_said_of_a_level_that_models_lose_is_said_on(one: Desk) -> None:
    one.read(Level.L1)
    with one.project.transaction() as session:
        found = reading(load_pair(session, one.study).reference, one.study)
        left = tuple(level for level in found.levels if level.name is not Level.L1)
        store_reading(session, replace(found, levels=left, detector_version="newer"))
    one.read(Level.L2)
    one.sender().send()
    assert [said.level for said in viewer_form(one)[-1].statements] == [Level.L1, Level.L2]
    with one.project.transaction() as session:
        queue_reports(session, remove_level(session, one.level(Level.L2), "reader-1"), one.protocol)
    one.sender().send()
    assert [said.level for said in viewer_form(one)[-1].statements] == [Level.L1]


def test_with_two_readers_nothing_is_written_until_the_level_is_done(tmp_path: Path) -> None:
    at = desk(tmp_path, protocol=DOUBLE)
    at.read(Level.L1)
    assert at.rows() == []
    at.read(Level.L1, reader="reader-2")
    at.sender().send()
    assert {row.author for row in at.rows()} == {"reader reader-1", "reader reader-2"}


def test_what_readers_disagree_on_waits_for_the_adjudicator(tmp_path: Path) -> None:
    at = desk(tmp_path, protocol=DOUBLE)
    at.read(Level.L1)
    at.read(Level.L1, Diagnosis.NORMAL, reader="reader-2")
    assert at.rows() == []
    decision = ReadSubmission(
        at.level(Level.L1), "chief", ReadMode.ASSISTED, Diagnosis.NORMAL, frozenset(), 5, 1.0, "t"
    )
    with at.project.transaction() as session:
        queue_reports(session, adjudicate(session, decision).level, at.protocol)
    at.sender().send()
    said = {report.observer.name: report.statements[0].diagnosis for report in files(at)}
    assert said == {
        "reader-1^": Diagnosis.MALIGNANT,
        "reader-2^": Diagnosis.NORMAL,
        "chief^": Diagnosis.NORMAL,
    }


def test_a_dispute_that_comes_later_takes_the_group_out_again(one: Desk) -> None:
    one.read(Level.L1)
    one.sender().send()
    one.read(Level.L1, Diagnosis.NORMAL, reader="reader-2")
    one.sender().send()
    assert [len(report.statements) for report in viewer_form(one)] == [1, 0]


@dataclass
class Flaky:
    """A delivery to an archive that answers only when it is told to."""

    folder: Path
    answers: Exception | None = None
    sent: int = 0

    def prepared(self, data: bytes, patient_key: str) -> bytes:
        return data

    def store(self, data: bytes) -> None:
        if self.answers:
            raise self.answers
        self.sent += 1


def test_an_archive_that_is_down_loses_nothing(one: Desk) -> None:
    delivery = Flaky(
        one.project.settings.cache_folder / "reports", RemoteError("The archive does not answer.")
    )
    sender = replace(one.sender(), delivery=delivery)
    one.read(Level.L1)
    assert sender.send().trouble == "The archive does not answer."
    one.read(Level.L2)
    sender.send()
    with one.project.session() as session:
        told = overview(session)
    assert told.waiting == len(one.rows()) and told.trouble == "The archive does not answer."
    written = one.rows()[0]
    file = one.project.home / written.path
    before = file.read_bytes()
    # A server that is started again sends the very file; of what was not written yet there is one of each.
    delivery.answers = None
    again = replace(one.sender(), delivery=delivery)
    assert again.send().stored == len(one.rows()) == 3
    assert file.read_bytes() == before
    with one.project.session() as session:
        assert overview(session).waiting == 0 and overview(session).trouble == ""


def test_what_the_archive_refuses_is_not_sent_for_ever(one: Desk) -> None:
    delivery = Flaky(one.project.settings.cache_folder / "reports", InputError("refused"))
    one.read(Level.L1)
    sender = replace(one.sender(), delivery=delivery)
    assert sender.send().failed == 2
    assert (sender.send().stored, sender.send().failed) == (0, 0)
    with one.project.session() as session:
        assert (overview(session).failed, overview(session).waiting) == (2, 0)
    # The next one does not call itself the successor of what was never stored.
    delivery.answers = None
    one.read(Level.L2)
    sender.send()
    last = read_report((one.project.home / one.rows()[-1].path).read_bytes())
    assert last.replaces == () and len(last.statements) == 2


def test_lost_pictures_are_said_in_words(one: Desk) -> None:
    one.read(Level.L1)
    for file in one.files:
        file.unlink()
    assert one.sender().send().failed == 2
    with one.project.session() as session:
        assert "ingest the study again" in overview(session).trouble


def test_a_file_that_a_crash_left_unwritten_is_written(one: Desk) -> None:
    one.read(Level.L1)
    with one.project.transaction() as session:
        for row in session.query(Report):
            row.path = f"results/reports/{one.study}/{row.sop_uid}.dcm"
    assert one.sender().send().stored == 2


def test_predictions_go_out_only_when_asked_and_with_their_versions(one: Desk) -> None:
    with one.project.transaction() as session:
        queue_model_report(session, find_study(session, one.study), "quick-1", "quick-1")
    assert one.sender().send().stored == 0  # the server sends what readers said, and only that
    one.sender(Kind.MODEL).send()
    for report in files(one):
        assert report.observer.is_device and len(report.statements) == 5
    report = viewer_form(one)[0]
    number = [said.level for said in report.statements].index(Level.L3)
    assert report.statements[number].diagnosis is Diagnosis.MALIGNANT
    (probability,) = items(groups(document(one, report))[number], "122157")
    assert probability.MeasuredValueSequence[0].NumericValue == 0.65


def test_what_was_stored_in_one_place_is_stored_in_another_too(one: Desk) -> None:
    archive = Flaky(one.project.settings.cache_folder / "reports")
    to_archive = replace(one.sender(Kind.MODEL), delivery=archive)

    def queue() -> None:
        with one.project.transaction() as session:
            queue_model_report(session, find_study(session, one.study), "quick-1", "quick-1")

    queue()
    assert one.sender(Kind.MODEL).send().stored == 2
    queue()
    assert to_archive.send().stored == 2  # though it says the same as those in the folder
    sent = list(archive.folder.rglob("*.dcm"))
    assert len(sent) == 2 and all(read_report(path.read_bytes()).replaces == () for path in sent)
    queue()
    assert to_archive.send().stored == 0 and one.sender(Kind.MODEL).send().stored == 0


def test_what_waits_for_the_archive_is_not_stored_in_the_folder(one: Desk) -> None:
    archive = Flaky(one.project.settings.cache_folder / "reports", RemoteError("no answer"))
    to_archive = replace(one.sender(), delivery=archive)
    one.read(Level.L1)
    assert to_archive.send().trouble
    # The first was written for the archive, the second for nowhere yet.
    assert one.sender().send().stored == 1 and one.rows()[0].state is ReportState.WAITING
    archive.answers = None
    assert to_archive.send().stored == 1


def test_predictions_of_locked_patients_never_go_out(one: Desk) -> None:
    assert split_of(TRAIN) is Split.TRAIN
    with one.project.transaction() as session:
        study = find_study(session, one.study)
        queue_model_report(session, study, "quick-1", "quick-1")
    for split in (Split.TEST, Split.VALIDATION):
        with one.project.transaction() as session:
            find_study(session, one.study).patient.split = split
        with one.project.transaction() as session, pytest.raises(ForbiddenError, match="read blinded"):
            queue_model_report(session, find_study(session, one.study), "quick-1", "quick-1")
    # One that was queued before is stopped where it is written.
    assert one.sender(Kind.MODEL).send().failed == 2 and files(one) == []


def test_reads_that_came_by_a_report_do_not_go_out_again(one: Desk) -> None:
    one.read(Level.L1, reader="sr-0123456789")
    assert one.rows() == []


def test_in_the_folder_a_report_is_under_the_patients_key(one: Desk) -> None:
    with one.project.transaction() as session:
        find_study(session, one.study).patient.key = "patient-key"
    one.read(Level.L1)
    one.sender().send()
    for path in one.reports_folder.rglob("*.dcm"):
        ds = dcmread(BytesIO(path.read_bytes()))
        assert (ds.PatientID, ds.PatientName) == ("patient-key", "patient-key")
        assert complaints(path) == []


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("SELECT", {}, Exception("database is locked")),
        OSError(28, "No space left on device", "/secret/place"),
        StorageError("The disk is full."),
        BusyError("The database is busy."),
    ],
)
def test_what_may_work_later_is_tried_later(one: Desk, error: Exception) -> None:
    delivery = Flaky(one.project.settings.cache_folder / "reports", error)
    sender = replace(one.sender(), delivery=delivery)
    one.read(Level.L1)
    sent = sender.send()
    assert sent.trouble and "secret" not in sent.trouble and sent.failed == 0
    assert {row.state for row in one.rows()} == {ReportState.WAITING}
    delivery.answers = None
    assert sender.send().stored == 2


def test_what_failed_is_tried_again_when_a_server_starts(one: Desk) -> None:
    delivery = Flaky(one.project.settings.cache_folder / "reports", InputError("refused"))
    sender = replace(one.sender(), delivery=delivery, look_every_s=0.02)
    one.read(Level.L1)
    assert sender.send().failed == 2
    delivery.answers = None
    assert sender.send().stored == 0
    stored = _watched(delivery)
    sender.start()
    assert stored.wait(60)
    sender.close()
    assert delivery.sent >= 1


def _watched(delivery: Flaky) -> Event:
    """Set when the delivery stored something."""
    happened, store = Event(), delivery.store

    def watched(data: bytes) -> None:
        store(data)
        happened.set()

    delivery.store = watched  # type: ignore[method-assign]
    return happened


def test_what_a_later_report_said_since_is_not_tried_again(one: Desk) -> None:
    delivery = Flaky(one.project.settings.cache_folder / "reports", InputError("refused"))
    sender = replace(one.sender(), delivery=delivery)
    one.read(Level.L1)
    sender.send()
    delivery.answers = None
    one.read(Level.L2)
    assert sender.send().stored == 2
    retry_failed(one.project, Kind.READER)
    assert [row.state for row in one.rows()] == [ReportState.FAILED] * 2 + [ReportState.STORED] * 2


def test_the_thread_outlives_what_nobody_thought_of(one: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    fails = [OperationalError("SELECT", {}, Exception("gone")), ZeroDivisionError("Jane Doe")]

    def broken(*given: object) -> tuple[int, ...]:
        if fails:
            raise fails.pop()
        return waiting(*given)  # type: ignore[arg-type]

    monkeypatch.setattr("spine_fracture.server.reports.outbox.waiting", broken)
    delivery = Flaky(one.project.settings.cache_folder / "reports")
    sender = replace(one.sender(), delivery=delivery, look_every_s=0.02)
    one.read(Level.L1)
    stored = _watched(delivery)
    sender.start()
    assert stored.wait(60)
    sender.close()
    assert fails == []
