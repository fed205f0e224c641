"""Reports that a viewer saves over a folder, and what of them is seen by whom."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO

import anyio
import httpx
import pytest
from dicomweb_client import DICOMwebClient
from pydicom import dcmread
from pydicom.uid import (
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    MRImageStorage,
)
from server.readers import Reader, new_user, service_token, signed_in, web
from server.running import RunningServer, running
from server.studies import QuickPipeline, image_id, study_uid, write_study
from server.viewer_objects import deflated, derived, open_level, report, segmentation, stow, uids_of
from sqlalchemy import select

from spine_fracture.cohort.columns import now
from spine_fracture.cohort.people import Role
from spine_fracture.cohort.reports import ArrivalState, ReceivedReport
from spine_fracture.cohort.shown import was_shown
from spine_fracture.cohort.studies import find_study
from spine_fracture.dicom.write import uid_from
from spine_fracture.errors import InputError, RemoteError, SpineFractureError, StorageError, UnsureError
from spine_fracture.imaging import Sequence
from spine_fracture.server.dicomweb.archive import ArchiveWeb
from spine_fracture.server.dicomweb.folder import FolderWeb
from spine_fracture.server.dicomweb.pictures import Pictures
from spine_fracture.server.dicomweb.stow import SentReport, is_refusal

PATIENT = "phantom-000001"
STUDY, T1, T2 = study_uid(PATIENT), image_id(PATIENT, Sequence.T1), image_id(PATIENT)
DERIVED = uid_from(T1, "derived")
MANAGER, READER, OTHER = "manager", "reader-a", "reader-b"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A study with a computed series, and three people."""
    folder = tmp_path_factory.mktemp("studies")
    files = write_study(folder, PATIENT)
    derived([path for path in files if dcmread(path).SeriesInstanceUID == T1], folder / "derived")
    with running(tmp_path_factory.mktemp("home"), str(folder), QuickPipeline()) as found:
        new_user(found, MANAGER, (Role.DATA_MANAGER,))
        new_user(found, READER)
        new_user(found, OTHER)
        yield found


@pytest.fixture(scope="module")
def reader(shared: RunningServer) -> Reader:
    return signed_in(shared, READER)


def post(who: Reader, *objects: bytes, to: str = "dicom-web/studies") -> httpx.Response:
    return who.web.post(f"/{to}", **stow(*objects))  # type: ignore[arg-type]


def listed(who: Reader, path: str = f"studies/{STUDY}/series") -> list[str]:
    answer = who.web.get(f"/dicom-web/{path}")
    assert answer.status_code == 200, answer.text
    return sorted(row["0020000E"]["Value"][0] for row in answer.json())


def note_of(server: RunningServer, sop_uid: str) -> ReceivedReport | None:
    with server.room.project.session() as session:
        return session.scalar(select(ReceivedReport).where(ReceivedReport.sop_uid == sop_uid))


@pytest.mark.parametrize("sop_class", [ComprehensiveSRStorage, Comprehensive3DSRStorage])
def test_a_report_is_kept_under_its_authors_name(
    shared: RunningServer, reader: Reader, sop_class: str
) -> None:
    sent = report(PATIENT, f"kept {sop_class}", sop_class=sop_class)
    _, series, sop = uids_of(sent)
    answer = post(reader, sent)
    assert answer.status_code == 200, answer.text
    (reference,) = answer.json()["00081199"]["Value"]
    assert (reference["00081150"]["Value"], reference["00081155"]["Value"]) == ([sop_class], [sop])
    note = note_of(shared, sop)
    assert note is not None
    assert (note.author, note.study_uid, note.series_uid) == (READER, STUDY, series)
    assert series in listed(reader)
    (row,) = reader.web.get(f"/dicom-web/studies/{STUDY}/series/{series}/metadata").json()
    assert row["00100020"]["Value"] == [PATIENT]
    study = reader.web.get("/dicom-web/studies").json()[0]
    assert study["00080061"]["Value"] == ["MR", "SR"]
    # The answer was lost on its way, so it is sent again: it is there once.
    assert post(reader, sent).status_code == 200
    assert listed(reader).count(series) == 1


def test_reports_that_are_sent_together_are_kept_together(shared: RunningServer, reader: Reader) -> None:
    answer = post(reader, report(PATIENT, "one"), report(PATIENT, "two"), to=f"dicom-web/studies/{STUDY}")
    assert len(answer.json()["00081199"]["Value"]) == 2


@pytest.mark.parametrize(
    ("sent", "status", "says"),
    [
        (segmentation(PATIENT), 422, "Only structured reports"),
        (report(PATIENT, "text", sop_class=BasicTextSRStorage), 422, "Only structured reports"),
        (report(PATIENT, "picture", sop_class=MRImageStorage), 422, "Only structured reports"),
        (report("phantom-000003"), 404, "not in the catalogue"),
        (report(PATIENT, "whose", PatientID="phantom-000003"), 409, "another patient"),
        (report(PATIENT, "nobody", PatientID=""), 409, "another patient"),
        (report(PATIENT, "series", SeriesInstanceUID=T1), 409, "UID of a picture"),
        (report(PATIENT, "way out", SOPInstanceUID="1.2/../../x"), 422, "not valid"),
        (report(PATIENT, "empty", SeriesInstanceUID=""), 422, "not valid"),
        (deflated(report(PATIENT, "packed")), 422, "save it as Explicit VR"),
        (b"no dicom", 422, "not a DICOM report"),
        (report(PATIENT)[:150], 422, "not a DICOM report"),
        (b"", 422, "not a DICOM report"),
    ],
)
def test_anything_else_is_refused_in_words(
    shared: RunningServer, reader: Reader, sent: bytes, status: int, says: str
) -> None:
    before = listed(reader)
    answer = post(reader, report(PATIENT, "good one beside"), sent)
    assert (answer.status_code, says in answer.json()["detail"]) == (status, True), answer.text
    assert listed(reader) == before  # all or nothing


def test_a_request_that_is_no_message_is_refused(reader: Reader) -> None:
    for content_type in ("application/dicom", "multipart/related", "multipart/related; boundary=x"):
        answer = reader.web.post(
            "/dicom-web/studies", content=report(PATIENT), headers={"Content-Type": content_type}
        )
        assert answer.status_code == 422


def test_only_readers_save_reports_and_only_people_see_any(shared: RunningServer) -> None:
    sent = report(PATIENT, "of a manager")
    assert post(signed_in(shared, MANAGER), sent).status_code == 403
    assert httpx.post(f"{shared.url}/dicom-web/studies", **stow(sent)).status_code == 401  # type: ignore[arg-type]
    assert httpx.get(f"{shared.url}/dicom-web/studies").status_code == 401
    assert note_of(shared, uids_of(sent)[2]) is None


def test_a_report_that_names_a_person_is_kept_without_the_name(shared: RunningServer, reader: Reader) -> None:
    sent = report(PATIENT, "named", PatientName="Doe^Jane", PatientBirthDate="19500101")
    assert post(reader, sent).status_code == 200
    folder = shared.room.report_folder / "reports"
    kept = [path.read_bytes() for path in folder.rglob("*.dcm")]
    assert any(uids_of(data)[2] == uids_of(sent)[2] for data in kept)
    assert not any(b"Doe" in data or b"19500101" in data for data in kept)


@pytest.fixture(scope="class")
def reading(reader: Reader) -> Iterator[None]:
    assert post(reader, report(PATIENT, "hidden")).status_code == 200
    assert open_level(reader, STUDY)["study"] == STUDY
    yield
    reader.post("leases/release")


@pytest.mark.usefixtures("reading")
class TestWhileALevelIsRead:
    """One reader has a level open: of the study they see the pictures, whatever they ask for."""

    def test_lists_show_pictures_alone(self, reader: Reader) -> None:
        assert listed(reader) == sorted([T1, T2])
        assert set(listed(reader, "instances")) == {T1, T2}
        assert set(listed(reader, f"studies/{STUDY}/instances")) == {T1, T2}
        assert listed(reader, "series?Modality=SR") == []
        assert listed(reader, f"series?SeriesInstanceUID={DERIVED}") == []

    def test_counts_do_not_tell_that_there_is_more(self, reader: Reader) -> None:
        (study,) = reader.web.get("/dicom-web/studies").json()
        assert study["00080061"]["Value"] == ["MR"]
        assert (study["00201206"]["Value"], study["00201208"]["Value"]) == ([2], [10])
        for question in ("ModalitiesInStudy=SR", "00080061=SR", "NumberOfStudyRelatedSeries=3"):
            assert reader.web.get(f"/dicom-web/studies?{question}").json() == []

    def test_headers_and_pixels_of_the_rest_do_not_exist(self, reader: Reader) -> None:
        _, series, sop = uids_of(report(PATIENT, "hidden"))
        for path in (
            f"series/{DERIVED}/metadata",
            f"series/{DERIVED}",
            f"series/{series}/metadata",
            f"series/{series}/instances/{sop}",
            f"series/{series}/instances/{sop}/metadata",
            f"series/{T1}/instances/{sop}",
            f"series/{T1}/instances/{sop}/metadata",
        ):
            answer = reader.web.get(f"/dicom-web/studies/{STUDY}/{path}")
            nothing = reader.web.get(f"/dicom-web/studies/{STUDY}/series/1.2.3/metadata")
            assert (answer.status_code, answer.json()) == (404, nothing.json()), path
        rows = reader.web.get(f"/dicom-web/studies/{STUDY}/metadata").json()
        assert {row["0020000E"]["Value"][0] for row in rows} == {T1, T2}

    def test_pictures_are_seen_as_before(self, shared: RunningServer, reader: Reader) -> None:
        rows = reader.web.get(f"/dicom-web/studies/{STUDY}/series/{T1}/metadata").json()
        sop = rows[0]["00080018"]["Value"][0]
        frames = f"/dicom-web/studies/{STUDY}/series/{T1}/instances/{sop}/frames/1"
        assert reader.web.get(frames).status_code == 200

    def test_somebody_else_who_reads_nothing_sees_all(self, shared: RunningServer) -> None:
        other = signed_in(shared, OTHER)
        _, series, sop = uids_of(report(PATIENT, "hidden"))
        assert {T1, T2, DERIVED, series} <= set(listed(other))
        (row,) = other.web.get(f"/dicom-web/studies/{STUDY}/series/{series}/metadata").json()
        assert row["00080018"]["Value"] == [sop]


def test_after_the_read_all_is_seen_again(reader: Reader) -> None:
    assert DERIVED in listed(reader)


def was_sent_opinions(server: RunningServer, name: str) -> bool:
    with server.room.project.session() as session:
        return was_shown(session, find_study(session, STUDY).levels[0], name)


HIDDEN, DERIVED_SOP = uids_of(report(PATIENT, "hidden"))[1:], "derived instance"
SENT_BY_OTHERS = (
    f"series/{HIDDEN[0]}/metadata",
    f"series/{HIDDEN[0]}/instances/{HIDDEN[1]}/metadata",
    f"series/{HIDDEN[0]}/instances/{HIDDEN[1]}",
    f"series/{HIDDEN[0]}",
    "metadata",
    f"series/{DERIVED}/metadata",
    f"series/{DERIVED}",
    f"series/{DERIVED}/instances/{DERIVED_SOP}",
    f"series/{DERIVED}/instances/{DERIVED_SOP}/frames/1",
)


def sop_in(who: Reader, series: str) -> str:
    rows = who.web.get(f"/dicom-web/instances?SeriesInstanceUID={series}").json()
    return str(rows[0]["00080018"]["Value"][0])


@pytest.mark.parametrize("path", SENT_BY_OTHERS)
def test_who_was_sent_what_another_wrote_or_computed_is_blinded_no_more(
    shared: RunningServer, reader: Reader, path: str
) -> None:
    post(reader, report(PATIENT, "hidden"))
    name = f"reader-of-{SENT_BY_OTHERS.index(path)}"
    new_user(shared, name)
    third = signed_in(shared, name)
    picture = f"series/{T1}/instances/{sop_in(third, T1)}"
    for plain in ("series", "instances", f"series/{T1}", f"series/{T1}/metadata", f"{picture}/frames/1"):
        assert third.web.get(f"/dicom-web/studies/{STUDY}/{plain}").status_code == 200
    assert third.web.get(f"/dicom-web/studies/{STUDY}/series/{HIDDEN[0]}/instances/1.2.3").status_code == 404
    assert not was_sent_opinions(shared, name)
    path = path.replace(DERIVED_SOP, sop_in(third, DERIVED))
    assert third.web.get(f"/dicom-web/studies/{STUDY}/{path}").status_code == 200
    assert was_sent_opinions(shared, name)


def test_own_reports_tell_nobody_anything_new(shared: RunningServer) -> None:
    new_user(shared, "reader-d")
    author, sent = signed_in(shared, "reader-d"), report(PATIENT, "own")
    assert post(author, sent).status_code == 200
    _, series, sop = uids_of(sent)
    for path in ("", "/metadata", f"/instances/{sop}", f"/instances/{sop}/metadata"):
        assert author.web.get(f"/dicom-web/studies/{STUDY}/series/{series}{path}").status_code == 200
    assert not was_sent_opinions(shared, "reader-d")


def test_a_program_gets_pictures_alone(shared: RunningServer, reader: Reader) -> None:
    """It may ask for a reader who reads now, and its own name never reads."""
    post(reader, report(PATIENT, "hidden"))
    program = Reader(web(shared, Authorization=f"Bearer {service_token(shared, 'bridge')}"))
    assert listed(program) == sorted([T1, T2])
    for path in (f"series/{HIDDEN[0]}/instances/{HIDDEN[1]}", f"series/{DERIVED}/metadata"):
        assert program.web.get(f"/dicom-web/studies/{STUDY}/{path}").status_code == 404
    assert program.web.get(f"/dicom-web/studies/{STUDY}/series/{T1}/metadata").status_code == 200


@pytest.mark.parametrize("state", [ArrivalState.ARRIVED, ArrivalState.UNMATCHED])
def test_a_report_that_was_announced_and_never_kept_is_kept_when_it_comes_again(
    shared: RunningServer, reader: Reader, state: ArrivalState
) -> None:
    """The server was stopped between the two; after a while it gave up on the report."""
    sent = report(PATIENT, f"cut off {state}")
    _, series, sop = uids_of(sent)
    with shared.room.project.transaction() as session:
        row = ReceivedReport(sop_uid=sop, series_uid=series, study_uid=STUDY, author=READER)
        row.state, row.created = state, now() - timedelta(hours=3)
        session.add(row)
    assert series not in listed(reader)
    assert post(reader, sent).status_code == 200
    assert series in listed(reader)
    note = note_of(shared, sop)
    assert note is not None
    assert now() - note.created < timedelta(minutes=5)  # it is waited for anew


def test_a_report_under_the_uid_of_somebody_elses_is_refused(shared: RunningServer, reader: Reader) -> None:
    mine = report(PATIENT, "taken uid")
    assert post(reader, mine).status_code == 200
    answer = post(signed_in(shared, OTHER), mine)
    assert (answer.status_code, "another report" in answer.json()["detail"]) == (409, True)


REFUSED = json.dumps({"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [272]}}]}})


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        (REFUSED, True),
        ('{"00081199": {"vr": "SQ", "Value": [{}]}}', False),
        ('{"00081198": {"vr": "SQ"}}', False),
        ('{"00081198": null}', False),
        ("[]", False),
        ("<xml/>", False),
        ("", False),
    ],
)
def test_an_archive_says_whether_it_took_a_report(said: str, refused: bool) -> None:
    assert is_refusal(said.encode()) is refused


@pytest.mark.parametrize(
    ("status", "said", "error", "words"),
    [
        (202, REFUSED, InputError, "refused the report"),  # it takes every message and nothing that is in it
        (400, "", InputError, "refused the report"),
        (413, "", InputError, "refused the report"),
        (500, "", UnsureError, "did not say whether it kept"),
        (504, "", UnsureError, "did not say whether it kept"),
        (None, "", UnsureError, "did not say whether it kept"),
    ],
)
def test_what_the_archive_refused_is_told_from_what_it_may_have_kept(
    shared: RunningServer, status: int | None, said: str, error: type[SpineFractureError], words: str
) -> None:
    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if status is None:
                return  # the connection ends without an answer
            self.send_response(status)
            self.send_header("Content-Type", "application/dicom+json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said.encode())

        def log_message(self, *_: object) -> None:
            return None

    archive = HTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=archive.serve_forever, daemon=True).start()
    data = report(PATIENT, "refused")
    sent = SentReport(*uids_of(data), EnhancedSRStorage, PATIENT, data)

    async def store() -> None:
        root = f"http://127.0.0.1:{archive.server_port}/dicom-web"
        web = ArchiveWeb(root, "/dicom-web", Pictures(shared.room.project))
        try:
            await web.store(sent)
        finally:
            await web.close()

    try:
        with pytest.raises(error, match=words):
            anyio.run(store)
    finally:
        archive.shutdown()
        archive.server_close()


@pytest.mark.parametrize(
    ("error", "is_noted"),
    [
        (UnsureError("No answer."), True),
        (RemoteError("Never reached."), False),
        (InputError("Refused."), False),
        (StorageError("Full."), False),
    ],
)
def test_a_report_that_may_have_been_kept_stays_its_authors(
    shared: RunningServer,
    reader: Reader,
    monkeypatch: pytest.MonkeyPatch,
    error: SpineFractureError,
    is_noted: bool,
) -> None:
    async def store(self: FolderWeb, sent: SentReport) -> None:
        raise error

    sent = report(PATIENT, f"in doubt {error}")
    with monkeypatch.context() as broken:
        broken.setattr(FolderWeb, "store", store)
        assert post(reader, sent).status_code == error.http_status
    note = note_of(shared, uids_of(sent)[2])
    assert (note is not None) is is_noted
    assert note is None or (note.author, note.state) == (READER, ArrivalState.ARRIVED)
    assert post(reader, sent).status_code == 200  # it may be saved again


def test_a_dicomweb_client_saves_reports(tmp_path_factory: pytest.TempPathFactory) -> None:
    """In an open project, as MONAI Label's users know it; the client is a stock one."""
    folder = tmp_path_factory.mktemp("studies")
    write_study(folder, PATIENT)
    with running(tmp_path_factory.mktemp("home"), str(folder), QuickPipeline()) as found:
        client = DICOMwebClient(f"{found.url}/dicom-web")
        sent = report(PATIENT)
        client.store_instances([dcmread(BytesIO(sent))])
        assert client.retrieve_instance(*uids_of(sent)).SeriesDescription == "SR report"
