"""DICOMweb over a folder, asked by a DICOMweb client and as OHIF asks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from dicomweb_client import DICOMwebClient
from PIL import Image
from pydicom import dcmread
from pydicom.uid import RLELossless
from server.conftest import PATIENTS
from server.running import RunningServer, running
from server.studies import SHAPE, QuickPipeline, image_id, study_uid, volume, write_study
from server.viewer_objects import derived, misspelt, report

from spine_fracture.cohort.studies import files_of, find_study
from spine_fracture.dicom.nifti import write_nifti
from spine_fracture.imaging import Sequence

OHIF_FRAMES = "multipart/related; type=application/octet-stream; transfer-syntax=*"
STUDY, T1, T2 = study_uid(PATIENTS[0]), image_id(PATIENTS[0], Sequence.T1), image_id(PATIENTS[0])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, studies: Path) -> Iterator[RunningServer]:
    """Nobody has read here, so that there are no reports beside the pictures."""
    with running(tmp_path_factory.mktemp("home"), str(studies), QuickPipeline()) as found:
        yield found


@pytest.fixture(scope="module")
def client(server: RunningServer) -> DICOMwebClient:
    return DICOMwebClient(f"{server.url}/dicom-web")


def get(server: RunningServer, path: str, **headers: str) -> httpx.Response:
    return httpx.get(f"{server.url}/dicom-web/{path}", headers=headers, timeout=30)


def test_studies_are_listed_under_their_keys(client: DICOMwebClient) -> None:
    rows = client.search_for_studies()
    assert {row["00100020"]["Value"][0] for row in rows} == set(PATIENTS)
    (row,) = client.search_for_studies(search_filters={"PatientID": PATIENTS[0]})
    assert row["0020000D"]["Value"] == [STUDY]
    assert row["00080061"]["Value"] == ["MR"]
    assert (row["00201206"]["Value"], row["00201208"]["Value"]) == ([2], [2 * SHAPE[0]])
    assert len(client.search_for_studies(limit=1, offset=1)) == 1
    assert not client.search_for_studies(search_filters={"ModalitiesInStudy": "SR"})


def test_series_and_instances_are_listed(client: DICOMwebClient) -> None:
    series = client.search_for_series(STUDY)
    assert {row["0020000E"]["Value"][0] for row in series} == {T1, T2}
    assert {row["0008103E"]["Value"][0] for row in series} == {"sag T1", "sag T2"}
    assert [row["00201209"]["Value"] for row in series] == [[SHAPE[0]]] * 2
    assert len(client.search_for_instances(STUDY, T1)) == SHAPE[0]
    assert len(client.search_for_instances(STUDY)) == 2 * SHAPE[0]
    assert len(client.search_for_series(search_filters={"SeriesInstanceUID": T1})) == 1


def test_headers_place_the_pictures_in_space(client: DICOMwebClient, studies: Path) -> None:
    found = {row["00080018"]["Value"][0]: row for row in client.retrieve_series_metadata(STUDY, T2)}
    files = [ds for ds in map(dcmread, (studies / PATIENTS[0]).glob("*.dcm")) if ds.SeriesInstanceUID == T2]
    assert len(found) == len(files) == SHAPE[0]
    for ds in files:
        row = found[ds.SOPInstanceUID]
        assert np.allclose(row["00200032"]["Value"], ds.ImagePositionPatient)
        assert np.allclose(row["00280030"]["Value"], ds.PixelSpacing)
        assert "7FE00010" not in row
    assert len(client.retrieve_study_metadata(STUDY)) == 2 * SHAPE[0]


def test_frames_are_the_stored_pixels(server: RunningServer, client: DICOMwebClient, studies: Path) -> None:
    ds = next(ds for ds in map(dcmread, (studies / PATIENTS[0]).glob("*.dcm")) if ds.SeriesInstanceUID == T1)
    (frame,) = client.retrieve_instance_frames(STUDY, T1, ds.SOPInstanceUID, [1])
    assert frame == ds.PixelData
    asked = f"studies/{STUDY}/series/{T1}/instances/{ds.SOPInstanceUID}/frames/1"
    answer = get(server, asked, Accept=OHIF_FRAMES)
    assert answer.headers["content-type"].startswith("multipart/related")
    assert answer.headers["cache-control"] == "private, max-age=43200, immutable"
    assert b"transfer-syntax=1.2.840.10008.1.2.1" in answer.content[:300]
    assert get(server, asked.replace("frames/1", "frames/2")).status_code == 404
    whole = client.retrieve_instance(STUDY, T1, ds.SOPInstanceUID)
    assert whole.PixelData == ds.PixelData
    assert len(client.retrieve_series(STUDY, T1)) == SHAPE[0]


def test_lists_are_packed_and_never_kept(server: RunningServer) -> None:
    answer = get(server, f"studies/{STUDY}/series/{T1}/metadata", **{"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/dicom+json"
    assert len(answer.json()) == SHAPE[0]


@pytest.mark.parametrize(
    "path",
    [
        "studies/1.2.3/metadata",
        f"studies/1.2.3/series/{T1}/metadata",
        f"studies/{STUDY}/series/1.2.3/metadata",
        f"studies/{STUDY}/series/{T1}/instances/1.2.3/metadata",
        f"studies/{STUDY}/series/{T1}/instances/1.2.3/frames/1",
        f"studies/{STUDY}/series/{T1}/instances/1.2.3",
        f"studies/{study_uid(PATIENTS[1])}/series/{T1}/metadata",
        f"studies/{STUDY}",
        "studies/%2e%2e/metadata",
        f"studies/{STUDY}%2fmetadata",
        "wado?requestType=WADO",
    ],
)
def test_what_is_not_there_is_answered_in_words(server: RunningServer, path: str) -> None:
    answer = get(server, path)
    assert answer.status_code == 404
    assert len(answer.json()["detail"]) > 20


def test_a_limit_that_is_no_number_is_named(server: RunningServer) -> None:
    answer = get(server, "studies?limit=many")
    assert (answer.status_code, "limit" in answer.json()["detail"]) == (422, True)


def test_nothing_is_changed_by_dicomweb(server: RunningServer) -> None:
    for method in ("PUT", "DELETE", "PATCH"):
        assert httpx.request(method, f"{server.url}/dicom-web/studies/{STUDY}").status_code == 405


def test_the_viewer_of_monai_label_gets_the_same(server: RunningServer) -> None:
    plain = get(server, f"studies/{STUDY}/series/{T1}/metadata").json()
    for way in ("qido", "wado"):
        assert (
            httpx.get(f"{server.url}/proxy/dicom/{way}/studies/{STUDY}/series/{T1}/metadata").json() == plain
        )
    assert httpx.get(f"{server.url}/proxy/dicom/stow/studies").status_code == 404


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A named patient's study with one series compressed and one computed; NIfTI; pictures."""
    folder = tmp_path_factory.mktemp("mixed")
    files = write_study(folder, "phantom-000001")
    derived(files[:3], folder / "derived")
    for path in files:
        ds = dcmread(path)
        ds.PatientName, ds.PatientID, ds.PatientBirthDate = "Doe^Jane", "4711", "19500101"
        ds.InstitutionName, ds.AccessionNumber = "Spital", "A1"
        ds.add_new(0x00091001, "LO", "Doe")
        if ds.SeriesInstanceUID == T2:
            ds.compress(RLELossless)
        ds.save_as(path)
    for path in (folder / "derived").glob("*.dcm"):
        ds = dcmread(path)
        ds.PatientID = "4711"
        ds.save_as(path)
    for sequence in (Sequence.T1, Sequence.T2):
        write_nifti(volume("phantom-000003", sequence), folder / f"nii_{sequence}.nii.gz")
        Image.fromarray(np.arange(96 * 64, dtype=np.uint16).reshape(96, 64) // 24).convert("L").save(
            folder / f"png_{sequence}.png"
        )
    with running(tmp_path_factory.mktemp("home"), str(folder), QuickPipeline()) as found:
        yield found


def test_names_of_people_stay_in_the_folder(mixed: RunningServer) -> None:
    client = DICOMwebClient(f"{mixed.url}/dicom-web")
    said = json.dumps([client.search_for_studies(), client.retrieve_study_metadata(STUDY)])
    said += str(client.retrieve_series(STUDY, T1)[0])
    for name in ("Doe", "Jane", "4711", "1950", "Spital", "A1"):
        assert f'"{name}' not in said, name
        assert f"{name}'" not in said, name
    assert '"patient-' in said
    assert not client.search_for_studies(search_filters={"PatientID": "4711"})


def test_compressed_pictures_are_sent_decoded(mixed: RunningServer) -> None:
    client = DICOMwebClient(f"{mixed.url}/dicom-web")
    sop = client.search_for_instances(STUDY, T2)[2]["00080018"]["Value"][0]
    (frame,) = client.retrieve_instance_frames(STUDY, T2, sop, [1])
    pixels = np.frombuffer(frame, "<u2").reshape(SHAPE[1:])
    assert any((pixels == one).all() for one in volume("phantom-000001", Sequence.T2).pixels)


def test_studies_of_other_formats_open_as_dicom(mixed: RunningServer) -> None:
    client = DICOMwebClient(f"{mixed.url}/dicom-web")
    others = [row["0020000D"]["Value"][0] for row in client.search_for_studies()]
    others.remove(STUDY)
    assert len(others) == 2
    slices = set()
    for uid in others:
        series = [row["0020000E"]["Value"][0] for row in client.search_for_series(uid)]
        assert len(series) == 2
        rows = [row for one in series for row in client.retrieve_series_metadata(uid, one)]
        # One frame of reference, so that they scroll together.
        assert len({row["00200052"]["Value"][0] for row in rows}) == 1
        slices.add(len(rows))
        (frame,) = client.retrieve_instance_frames(uid, series[0], rows[0]["00080018"]["Value"][0], [1])
        assert len(frame) == 2 * SHAPE[1] * SHAPE[2]
    assert slices == {2, 2 * SHAPE[0]}


def test_a_file_that_was_taken_away_is_answered_in_words(mixed: RunningServer) -> None:
    client = DICOMwebClient(f"{mixed.url}/dicom-web")
    with mixed.room.project.session() as session:
        series = next(s for s in find_study(session, STUDY).series if s.uid == T1)
        path, sop = files_of(series)[0], series.instances[0].sop_uid
    before = path.read_bytes()
    try:
        path.write_bytes(b"damaged")
        assert len(client.retrieve_series_metadata(STUDY, T1)) == SHAPE[0] - 1
        path.unlink()
        assert len(client.retrieve_series_metadata(STUDY, T1)) == SHAPE[0] - 1
        answer = get(mixed, f"studies/{STUDY}/series/{T1}/instances/{sop}/frames/1")
        assert (answer.status_code, "reload the page" in answer.json()["detail"]) == (404, True)
    finally:
        path.write_bytes(before)
    assert len(client.retrieve_series_metadata(STUDY, T1)) == SHAPE[0]


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Two studies, one of a patient whose weight is no number; and reports that were cut off."""
    folder = tmp_path_factory.mktemp("odd")
    write_study(folder, PATIENTS[0])
    for path in write_study(folder, PATIENTS[1]):
        misspelt(path, "PatientWeight", b"70,5")
    with running(tmp_path_factory.mktemp("home"), str(folder), QuickPipeline()) as found:
        reports = found.room.report_folder / "reports" / STUDY
        reports.mkdir(parents=True, exist_ok=True)
        for kept in (100, 141, 152):
            (reports / f"{kept}.dcm").write_bytes(report(PATIENTS[0])[:kept])
        yield found


def test_an_odd_header_takes_no_list_down(odd: RunningServer) -> None:
    both = {STUDY, study_uid(PATIENTS[1])}
    assert {row["0020000D"]["Value"][0] for row in get(odd, "studies").json()} == both
    for uid in both:
        assert len(get(odd, f"studies/{uid}/series").json()) == 2
        rows = get(odd, f"studies/{uid}/metadata").json()
        assert len(rows) == 2 * SHAPE[0] and not any("00101030" in row for row in rows)
