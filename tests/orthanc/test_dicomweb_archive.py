"""DICOMweb over a real Orthanc: passed on, but for all that is no picture while a level is read."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
from dicomweb_client import DICOMwebClient
from orthanc.conftest import Orthanc
from pydicom import dcmread
from server.readers import Reader, new_user, signed_in
from server.running import RunningServer, free_port, running
from server.studies import SHAPE, QuickPipeline, image_id, study_uid, write_study
from server.viewer_objects import derived, open_level, report, segmentation, stow, uids_of
from sqlalchemy import select

from spine_fracture.cohort.people import Role
from spine_fracture.cohort.reports import ReceivedReport
from spine_fracture.cohort.shown import was_shown
from spine_fracture.cohort.studies import find_study
from spine_fracture.dicom.write import uid_from
from spine_fracture.imaging import Sequence

pytestmark = [pytest.mark.orthanc, pytest.mark.filterwarnings("ignore::ResourceWarning")]
#: Patients that no other test keeps in this Orthanc.
PATIENT, DELETED = "phantom-000006", "phantom-000009"
STUDY, T1, T2 = study_uid(PATIENT), image_id(PATIENT, Sequence.T1), image_id(PATIENT)
DERIVED = uid_from(T1, "derived")
REPORT, SEGMENTATION = uids_of(report(PATIENT, "hidden")), uids_of(segmentation(PATIENT))
OHIF_FRAMES = "multipart/related; type=application/octet-stream; transfer-syntax=*"


@pytest.fixture(scope="module")
def server(orthanc: Orthanc, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """An archive with a study of pictures, a report, a segmentation and a computed series."""
    folder = tmp_path_factory.mktemp("sent")
    files = write_study(folder, PATIENT)
    orthanc.store(*files, *write_study(folder, DELETED))
    orthanc.store(*derived([f for f in files if dcmread(f).SeriesInstanceUID == T1], folder / "derived"))
    for name, data in (("sr", report(PATIENT, "hidden")), ("seg", segmentation(PATIENT))):
        (folder / name).write_bytes(data)
        orthanc.store(folder / name)
    with running(tmp_path_factory.mktemp("home"), orthanc.dicom_web, QuickPipeline()) as found:
        new_user(found, "reader-a")
        new_user(found, "reader-b")
        new_user(found, "manager", (Role.DATA_MANAGER,))
        yield found


@pytest.fixture(scope="module")
def reader(server: RunningServer) -> Reader:
    return signed_in(server, "reader-a")


@pytest.fixture(scope="module")
def other(server: RunningServer) -> Reader:
    return signed_in(server, "reader-b")


def get(who: Reader, path: str, **headers: str) -> httpx.Response:
    return who.web.get(f"/dicom-web/{path}", headers=headers)


def series_in(answer: httpx.Response) -> set[str]:
    assert answer.status_code == 200, answer.text
    return {row["0020000E"]["Value"][0] for row in answer.json()}


def test_what_the_archive_says_is_passed_on(orthanc: Orthanc, other: Reader) -> None:
    direct = DICOMwebClient(orthanc.dicom_web)
    query = f"studies?PatientID={PATIENT}&limit=5&offset=0&fuzzymatching=true&includefield=00081030"
    (row,) = get(other, query).json()
    assert row["0020000D"]["Value"] == [STUDY]
    assert set(row["00080061"]["Value"]) == {"MR", "SEG", "SR"}
    assert series_in(get(other, f"studies/{STUDY}/series")) == {T1, T2, DERIVED, REPORT[1], SEGMENTATION[1]}
    said = get(other, f"studies/{STUDY}/series/{T1}/metadata")
    assert len(said.json()) == SHAPE[0]
    assert orthanc.url not in said.text  # addresses lead to this server
    sop = said.json()[0]["00080018"]["Value"][0]
    assert said.json()[0]["7FE00010"]["BulkDataURI"].startswith(f"/dicom-web/studies/{STUDY}/")
    frames = get(other, f"studies/{STUDY}/series/{T1}/instances/{sop}/frames/1", Accept=OHIF_FRAMES)
    frame = direct.retrieve_instance(STUDY, T1, sop).PixelData
    assert frame in frames.content
    assert frames.headers["cache-control"] == "private, max-age=43200, immutable"
    assert set(frames.headers) >= {"content-type", "x-content-type-options"}
    assert "server" not in frames.headers or "Orthanc" not in frames.headers["server"]
    bulk = get(other, said.json()[0]["7FE00010"]["BulkDataURI"].removeprefix("/dicom-web/"))
    assert frame in bulk.content


def test_lists_tell_no_content_whatever_is_asked_for(orthanc: Orthanc, other: Reader) -> None:
    of_report = f"studies/{STUDY}/instances?SeriesInstanceUID={REPORT[1]}"
    asked = f"{of_report}&includefield=0040A491,00080060"  # whether the report is complete
    (direct,) = httpx.get(f"{orthanc.dicom_web}/{asked}").json()
    assert direct["0040A491"]["Value"] == ["COMPLETE"]
    (row,) = get(other, asked).json()
    assert (row["00080018"]["Value"], row["00080060"]["Value"]) == ([REPORT[2]], ["SR"])
    for query in (asked, f"{of_report}&includefield=all", f"{of_report}&CompletionFlag=COMPLETE"):
        assert "COMPLETE" not in get(other, query).text
    assert len(get(other, f"{of_report}&CompletionFlag=PARTIAL").json()) == 1  # contents are not searched


def test_a_report_sent_as_a_file_is_known_to_have_been_seen(server: RunningServer) -> None:
    new_user(server, "reader-c")
    third = signed_in(server, "reader-c")
    picture = get(third, f"studies/{STUDY}/instances?SeriesInstanceUID={T1}").json()[0]
    (sop,) = picture["00080018"]["Value"]
    get(third, f"studies/{STUDY}/series/{T1}/instances/{sop}/rendered").raise_for_status()
    assert not was_sent_opinions(server, "reader-c")
    for number, (_, series, instance) in enumerate((REPORT, SEGMENTATION)):
        new_user(server, f"reader-{number}")
        curious = signed_in(server, f"reader-{number}")
        get(curious, f"studies/{STUDY}/series/{series}/instances/{instance}").raise_for_status()
        assert was_sent_opinions(server, f"reader-{number}")


def was_sent_opinions(server: RunningServer, name: str) -> bool:
    with server.room.project.session() as session:
        return was_shown(session, find_study(session, STUDY).levels[0], name)


@pytest.mark.parametrize(
    "path",
    [
        "instances/../../system",
        "studies/..%2f..%2f..%2fsystem",
        "studies/%2e%2e/%2e%2e/system",
        f"studies/{STUDY}/series/{T1}/instances/1.2.3/frames/1",
        f"studies/{STUDY}/archive",
        "servers",
        "",
    ],
)
def test_no_other_door_of_the_archive_is_open(server: RunningServer, other: Reader, path: str) -> None:
    # As it is, where the client would tidy it up.
    raw = f"GET /dicom-web/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    raw += f"Cookie: {'; '.join(f'{k}={v}' for k, v in other.web.cookies.items())}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as connection:
        connection.sendall(raw.encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 404"), answer[:200]


class TestWhileALevelIsRead:
    @pytest.fixture(scope="class")
    @classmethod
    def sitting(cls, reader: Reader) -> Iterator[Reader]:
        assert open_level(reader, STUDY)["study"] == STUDY
        yield reader
        reader.post("leases/release")

    def test_lists_show_pictures_alone(self, sitting: Reader) -> None:
        for path in (
            f"studies/{STUDY}/series",
            f"studies/{STUDY}/series?includefield=all",
            f"studies/{STUDY}/instances",
            f"series?StudyInstanceUID={STUDY}",
            f"instances?StudyInstanceUID={STUDY}",
            f"studies/{STUDY}/metadata",
        ):
            assert series_in(get(sitting, path)) == {T1, T2}, path
        for series in (REPORT[1], SEGMENTATION[1], DERIVED):
            assert get(sitting, f"series?SeriesInstanceUID={series}").json() == []

    def test_counts_do_not_tell_that_there_is_more(self, sitting: Reader) -> None:
        for query in (
            f"PatientID={PATIENT}",
            f"PatientID={PATIENT}&includefield=all",
            f"StudyInstanceUID={STUDY}",
        ):
            answer = get(sitting, f"studies?{query}")
            (row,) = answer.json()
            assert row["00080061"]["Value"] == ["MR"]
            assert (row["00201206"]["Value"], row["00201208"]["Value"]) == ([2], [2 * SHAPE[0]])
            assert "SEG" not in answer.text
        for query in ("ModalitiesInStudy=SR", "00080061=SEG", "ModalitiesInStudy=SR,SEG"):
            assert get(sitting, f"studies?{query}").json() == []
        assert len(get(sitting, f"studies?PatientID={PATIENT}&ModalitiesInStudy=MR").json()) == 1
        for path in (
            f"studies/{STUDY}/series?Modality=SR",
            "series?ModalitiesInStudy=SR",
            "instances?Modality=SEG",
        ):
            assert get(sitting, path).json() == [], path
        # Nor does a study show by a description that only a hidden series has.
        assert series_in(get(sitting, f"studies/{STUDY}/series?SeriesDescription=SR*")) == {T1, T2}

    @pytest.mark.parametrize("hidden", [REPORT, SEGMENTATION, (STUDY, DERIVED, "")])
    def test_headers_and_pixels_of_the_rest_do_not_exist(
        self, sitting: Reader, other: Reader, hidden: tuple[str, str, str]
    ) -> None:
        _, series, sop = hidden
        sop = (
            sop or get(other, f"studies/{STUDY}/series/{DERIVED}/metadata").json()[0]["00080018"]["Value"][0]
        )
        nothing = get(sitting, f"studies/{STUDY}/series/1.2.3/metadata")
        assert nothing.status_code == 404
        for named in (series, T1):  # also when the address claims that it belongs to a picture series
            for path in ("", "/metadata", "/frames/1", "/rendered", "/thumbnail", "/bulk/7fe00010"):
                answer = get(sitting, f"studies/{STUDY}/series/{named}/instances/{sop}{path}")
                assert (answer.status_code, answer.text) == (404, nothing.text), (named, path)
        for path in ("", "/metadata", "/thumbnail"):
            answer = get(sitting, f"studies/{STUDY}/series/{series}{path}")
            assert (answer.status_code, answer.text) == (404, nothing.text), path
        assert get(other, f"studies/{STUDY}/series/{series}/instances/{sop}/metadata").status_code == 200

    def test_pictures_are_seen_as_before(self, sitting: Reader, other: Reader) -> None:
        path = f"studies/{STUDY}/series/{T2}/metadata"
        assert get(sitting, path).json() == get(other, path).json()
        sop = get(sitting, path).json()[0]["00080018"]["Value"][0]
        assert get(sitting, f"studies/{STUDY}/series/{T2}/instances/{sop}/frames/1").status_code == 200


def test_the_reading_room_gets_pictures_alone_also_between_two_levels(
    server: RunningServer, other: Reader
) -> None:
    """What it fetches ahead then would end the blindness of its reader."""
    new_user(server, "fetches-ahead")
    ahead = signed_in(server, "fetches-ahead")
    for page in ("/viewer/review", "/viewer/review/", "/viewer/review/spine"):
        room = f"{server.url}{page}?StudyInstanceUIDs={STUDY}&list=blinded"
        assert series_in(get(ahead, f"studies/{STUDY}/series", referer=room)) == {T1, T2}
    hidden = get(ahead, f"studies/{STUDY}/series/{REPORT[1]}/metadata", referer=room)
    assert hidden.status_code == 404
    assert not was_sent_opinions(server, "fetches-ahead")
    for page in (f"{server.url}/viewer/viewer?from=/viewer/review", "//[bad", f"{server.url}/viewer/reviews"):
        assert series_in(get(other, f"studies/{STUDY}/series", referer=page)) > {T1, T2}


def test_a_report_goes_into_the_archive_with_its_author(
    server: RunningServer, orthanc: Orthanc, reader: Reader
) -> None:
    sent = report(PATIENT, "saved")
    study, series, sop = uids_of(sent)
    answer = reader.web.post("/dicom-web/studies", **stow(sent))  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    assert DICOMwebClient(orthanc.dicom_web).retrieve_instance(study, series, sop).Modality == "SR"
    with server.room.project.session() as session:
        note = session.scalar(select(ReceivedReport).where(ReceivedReport.sop_uid == sop))
    assert note is not None
    assert note.author == "reader-a"
    refused = signed_in(server, "manager").web.post("/dicom-web/studies", **stow(report(PATIENT, "x")))  # type: ignore[arg-type]
    assert refused.status_code == 403


def test_a_series_that_was_deleted_meanwhile_is_answered_in_words(orthanc: Orthanc, other: Reader) -> None:
    study, series = study_uid(DELETED), image_id(DELETED)
    path = f"studies/{study}/series/{series}/metadata"
    sop = get(other, path).json()[0]["00080018"]["Value"][0]
    query = {"Level": "Series", "Query": {"SeriesInstanceUID": series}}
    (found,) = httpx.post(f"{orthanc.url}/tools/find", content=json.dumps(query)).json()
    httpx.delete(f"{orthanc.url}/series/{found}").raise_for_status()
    for gone in (path, f"studies/{study}/series/{series}/instances/{sop}/frames/1"):
        answer = get(other, gone)
        assert answer.status_code == 404
        assert "deleted or moved in the archive" in answer.json()["detail"]


class _Elsewhere(BaseHTTPRequestHandler):
    """An archive that sends its clients to another address, wants a password, and asks who came."""

    seen: list[tuple[str, str | None, str | None]] = []  # noqa: RUF012

    def do_GET(self) -> None:
        self.seen.append((self.path, self.headers.get("Authorization"), self.headers.get("Cookie")))
        if "series" in self.path and "redirect" not in self.path:
            body, status = b"[]", 200
        else:
            body, status = b"", 302
        self.send_response(status)
        self.send_header("Location", "http://example.invalid/")
        self.send_header("Content-Type", "application/dicom+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return None


def test_an_archive_cannot_send_us_elsewhere_and_is_not_told_who_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = HTTPServer(("127.0.0.1", 0), _Elsewhere)
    threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
    monkeypatch.setenv("MONAI_LABEL_DICOMWEB_USERNAME", "spine")
    monkeypatch.setenv("MONAI_LABEL_DICOMWEB_PASSWORD", "secret")
    url = f"http://127.0.0.1:{elsewhere.server_port}/dicom-web"
    try:
        with running(tmp_path / "home", url, QuickPipeline()) as found:
            answer = httpx.get(f"{found.url}/dicom-web/studies", headers={"Cookie": "spine_session=x"})
            assert (answer.status_code, "location" in answer.headers) == (502, False)
            assert "HTTP 302" in answer.json()["detail"]
    finally:
        elsewhere.shutdown()
        elsewhere.server_close()
    path, authorization, cookie = _Elsewhere.seen[-1]
    assert (path, cookie) == ("/dicom-web/studies", None)
    assert authorization is not None
    assert authorization.startswith("Basic ")


def test_an_archive_that_is_down_is_answered_in_words(tmp_path: Path) -> None:
    write_study(tmp_path / "studies", PATIENT)
    with running(tmp_path / "home", str(tmp_path / "studies"), QuickPipeline()):
        pass  # the study is in the catalogue
    with running(tmp_path / "home", f"http://127.0.0.1:{free_port()}/dicom-web", QuickPipeline()) as found:
        for path in ("studies", f"studies/{STUDY}/series/{T1}/metadata", f"studies/{STUDY}/series/{T1}"):
            answer = httpx.get(f"{found.url}/dicom-web/{path}")
            assert answer.status_code == 502
            assert "does not answer" in answer.json()["detail"]
            assert "Reads that you submit are kept" in answer.json()["detail"]
        sent = httpx.post(f"{found.url}/dicom-web/studies", **stow(report(PATIENT)))  # type: ignore[arg-type]
        assert (sent.status_code, "does not answer" in sent.json()["detail"]) == (502, True)
        with found.room.project.session() as session:
            assert session.scalars(select(ReceivedReport)).all() == []  # it may be sent again
        study, series, sop = uids_of(report(PATIENT))
        with found.room.project.transaction() as session:
            session.add(ReceivedReport(sop_uid=sop, series_uid=series, study_uid=study, author="local"))
        again = httpx.post(f"{found.url}/dicom-web/studies", **stow(report(PATIENT)))  # type: ignore[arg-type]
        assert again.status_code == 502
        with found.room.project.session() as session:  # it may be there, so that it is looked for
            assert session.scalars(select(ReceivedReport.sop_uid)).all() == [sop]
