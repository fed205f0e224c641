"""Reports in a real Orthanc: ours arrive there, those of others are found there, and none is lost between."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from dicom.made_reports import changed, complaints
from orthanc.conftest import Orthanc
from server.made_desk import Desk, box_of, desk
from server.running import RunningServer, running
from server.studies import QuickPipeline, study_uid, write_study
from sqlalchemy import select

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.cohort.models import Read, ReadMode
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.reports import ArrivalState, FeedPosition, ReceivedReport, ReportState
from spine_fracture.cohort.studies import find_study
from spine_fracture.dicom.sr.found import FoundReport
from spine_fracture.dicom.sr.reading import read_report
from spine_fracture.errors import InputError, RemoteError
from spine_fracture.server.archive import Archive
from spine_fracture.server.dicomweb import multipart
from spine_fracture.server.reports.arrivals import ArchiveShelf
from spine_fracture.server.reports.delivery import ArchiveDelivery
from spine_fracture.server.reports.desk import Receiver, unmatched
from spine_fracture.server.reports.feed import Feed
from spine_fracture.server.reports.intake import Intake

pytestmark = [pytest.mark.orthanc, pytest.mark.filterwarnings("ignore::ResourceWarning")]
PATIENT = "phantom-000001"
OHIF = (Path(__file__).parents[1] / "server" / "ohif-3.12-report.dcm").read_bytes()
STUDY = study_uid(PATIENT)


@pytest.fixture(scope="module")
def server(orthanc: Orthanc, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    orthanc.store(*write_study(tmp_path_factory.mktemp("sent"), PATIENT))
    with running(tmp_path_factory.mktemp("home"), orthanc.dicom_web, QuickPipeline()) as found:
        yield found


def reports_in(orthanc: Orthanc, study: str = STUDY) -> list[tuple[FoundReport, bytes]]:
    """The reports of a study in the archive, with their files."""
    series = httpx.post(
        f"{orthanc.url}/tools/find",
        json={"Level": "Instance", "Query": {"StudyInstanceUID": study, "Modality": "SR"}},
        timeout=30,
    ).json()
    files = [httpx.get(f"{orthanc.url}/instances/{one}/file", timeout=30).content for one in series]
    return [(read_report(data), data) for data in files]


def until(holds: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


def reads(project: Project, reader: str) -> list[Read]:
    with project.session() as session:
        levels = find_study(session, STUDY).levels
        return [read for level in levels for read in level.reads if read.reader == reader]


def test_a_read_is_found_in_the_archive_and_the_checkers_like_it(
    server: RunningServer, orthanc: Orthanc, tmp_path: Path
) -> None:
    until(lambda: bool(_levels(server.room.project)), "the models have not read the study")
    level = _levels(server.room.project)[Level.L1]
    label = {"level": "L1", "diagnosis": "malignant", "confidence": 4, "token": "t-1"}
    image = server.room.catalogue.images_of([STUDY])
    answer = httpx.put(
        f"{server.url}/datastore/label",
        params={"image": next(iter(image))},
        files={"label": ("read.json", json.dumps(label).encode())},
        headers={"Origin": server.url},
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    until(lambda: len(reports_in(orthanc)) == 2, "the report did not reach the archive")
    for number, (report, data) in enumerate(reports_in(orthanc)):
        assert [said.level for said in report.statements] == [Level.L1]
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(data)
        assert complaints(path) == []
    until(lambda: _states(server.room.project).count(ArrivalState.OURS) == 2, "ours were not known again")
    assert len(reads(server.room.project, "local")) == 1 and level


def _levels(project: Project) -> dict[Level, int]:
    with project.session() as session:
        try:
            return {level.name: level.id for level in find_study(session, STUDY).levels}
        except Exception:  # not taken in yet
            return {}


def _states(project: Project) -> list[ArrivalState]:
    with project.session() as session:
        return list(session.scalars(select(ReceivedReport.state)))


def test_what_others_store_becomes_a_read(server: RunningServer, orthanc: Orthanc) -> None:
    project = server.room.project
    httpx.post(f"{orthanc.url}/instances", content=OHIF, timeout=30).raise_for_status()
    until(lambda: ArrivalState.TAKEN in _states(project), "the report was not noticed")
    with project.session() as session:
        (row,) = session.scalars(select(ReceivedReport).where(ReceivedReport.state == ArrivalState.TAKEN))
    assert row.author.startswith("sr-") and row.unmatched == []
    (read,) = reads(project, row.author)
    assert (read.name_given, read.diagnosis, read.mode) == (Level.L3, Diagnosis.MALIGNANT, ReadMode.ASSISTED)


def test_who_stores_through_us_is_the_reader(server: RunningServer, orthanc: Orthanc) -> None:
    project = server.room.project
    mine = changed(OHIF, lambda ds: ds.update({"SOPInstanceUID": "1.2.3.1", "SeriesInstanceUID": "1.2.3"}))
    message = multipart.join([mine], "application/dicom")
    answer = httpx.post(
        f"{server.url}/dicom-web/studies",
        content=message.body,
        headers={"Content-Type": message.content_type, "Origin": server.url},
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    until(lambda: Level.L3 in {read.name_given for read in reads(project, "local")}, "it was not taken in")
    with project.session() as session:
        row = session.scalars(select(ReceivedReport).where(ReceivedReport.sop_uid == "1.2.3.1")).one()
    assert (row.author, row.state) == ("local", ArrivalState.TAKEN)


def test_what_cannot_be_matched_is_listed(server: RunningServer, orthanc: Orthanc) -> None:
    stranger = changed(
        OHIF, lambda ds: (setattr(ds, "SOPInstanceUID", "1.2.4.1"), setattr(ds, "PatientID", "somebody"))
    )
    httpx.post(f"{orthanc.url}/instances", content=stranger, timeout=30).raise_for_status()

    def listed() -> bool:
        with server.room.project.session() as session:
            return "another patient" in str(unmatched(session))

    until(listed, "it was not listed")


@pytest.fixture(params=["phantom-000006"])
def one(request: pytest.FixtureRequest, orthanc: Orthanc, tmp_path: Path) -> Desk:
    """A project of its own whose study is in the archive."""
    made = desk(tmp_path, request.param)
    orthanc.store(*made.files)
    return made


def delivery(orthanc: Orthanc, folder: Path) -> ArchiveDelivery:
    return ArchiveDelivery(
        folder / "home" / "cache" / "reports", Archive(orthanc.dicom_web, folder / "copies")
    )


def test_an_archive_that_was_down_gets_the_same_report(one: Desk, orthanc: Orthanc, tmp_path: Path) -> None:
    there = delivery(orthanc, tmp_path)
    gone = replace(there, archive=Archive("http://127.0.0.1:9/dicom-web", tmp_path))
    one.read(Level.L2)
    assert "kept here" in replace(one.sender(), delivery=gone).send().trouble
    assert reports_in(orthanc, one.study) == []
    written = (one.project.home / one.rows()[0].path).read_bytes()
    assert replace(one.sender(), delivery=there).send().stored == 2
    stored = {report.sop_uid: data for report, data in reports_in(orthanc, one.study)}
    assert stored.keys() == {row.sop_uid for row in one.rows()}
    assert read_report(written) == read_report(stored[one.rows()[0].sop_uid])
    # A crash after the archive took it and before that was noted: it is sent again, and there once.
    with one.project.transaction() as session:
        for row in one.rows():
            session.merge(row).state = ReportState.WAITING
    assert replace(one.sender(), delivery=there).send().stored == 2
    assert len(reports_in(orthanc, one.study)) == 2


def test_never_is_told_from_not_now(orthanc: Orthanc, tmp_path: Path) -> None:
    there = delivery(orthanc, tmp_path)
    with pytest.raises(InputError, match="refused"):
        there.store(b"no report")
    wrong = replace(there, archive=Archive(f"{orthanc.url}/nowhere", tmp_path))
    with pytest.raises(RemoteError, match="HTTP 404"):
        wrong.store(OHIF)


@pytest.mark.parametrize("one", ["phantom-000003"], indirect=True)
def test_the_feed_is_followed_from_where_it_was_left(one: Desk, orthanc: Orthanc, tmp_path: Path) -> None:
    archive = Archive(orthanc.dicom_web, tmp_path / "copies")
    feed = Feed.of(archive)
    assert feed is not None
    receiver = Receiver(one.project, Intake(one.project, one.protocol), ArchiveShelf(archive), feed)
    receiver.look()
    before = _position(one.project)
    assert before > 0 and one.reads() == []
    data = one.foreign((Level.L4, Diagnosis.HEMANGIOMA, box_of(Level.L4)))
    httpx.post(f"{orthanc.url}/instances", content=data, timeout=30).raise_for_status()
    receiver.look()
    receiver.look()
    assert [read.name_given for read in one.reads()] == [Level.L4]
    after = _position(one.project)
    assert after > before
    # An Orthanc that was set up anew counts from the beginning, and so do we.
    with one.project.transaction() as session:
        session.merge(FeedPosition(name=feed.name, value=after + 10_000))
    receiver.look()
    assert _position(one.project) == after and len(one.reads()) == 1


def _position(project: Project) -> int:
    with project.session() as session:
        return session.scalars(select(FeedPosition.value)).one()


def test_an_archive_without_a_feed_is_no_disaster(one: Desk, tmp_path: Path) -> None:
    assert Feed.of(Archive("http://127.0.0.1:9/wado", tmp_path)) is None
    archive = Archive("http://127.0.0.1:9/dicom-web", tmp_path)
    feed = Feed.of(archive)
    assert feed is not None
    receiver = Receiver(one.project, Intake(one.project, one.protocol), ArchiveShelf(archive), feed)
    with pytest.raises(RemoteError, match="does not answer"):
        receiver.look()
