"""The whole loop over a real Orthanc, driven by MONAI Label's own client."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import numpy as np
import pytest
from monailabel.client.client import MONAILabelClient
from orthanc.conftest import Orthanc
from pydicom import dcmread
from server.readers import next_assisted
from server.running import RunningServer, running
from server.studies import LEVELS, QuickPipeline, image_id, write_study

from spine_fracture.dicom.nifti import read_nifti
from spine_fracture.errors import RemoteError
from spine_fracture.imaging import Sequence
from spine_fracture.server.archive import Archive, Credentials
from spine_fracture.server.inference import ModelName

pytestmark = [pytest.mark.orthanc, pytest.mark.filterwarnings("ignore::ResourceWarning")]
PATIENT, LATER = "phantom-000001", "phantom-000003"


@pytest.fixture(scope="module")
def server(orthanc: Orthanc, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    orthanc.store(*write_study(tmp_path_factory.mktemp("sent"), PATIENT))
    home = tmp_path_factory.mktemp("home")
    with running(home, orthanc.dicom_web, QuickPipeline()) as found:
        yield found


@pytest.fixture
def client(server: RunningServer, tmp_path: Path) -> MONAILabelClient:
    return MONAILabelClient(server.url, tmpdir=str(tmp_path), client_id="reader-1")


def test_the_whole_loop(client: MONAILabelClient, server: RunningServer, tmp_path: Path) -> None:
    assert set(client.datastore()["objects"]) == {image_id(PATIENT)}
    sample = next_assisted(client, tmp_path)
    assert (sample["id"], sample["level"] in LEVELS) == (image_id(PATIENT), True)
    file, answer = client.infer(ModelName.DETECTION, sample["id"], {})
    assert [level["level"] for level in answer["levels"]] == list(LEVELS)
    twin, _ = client.infer(ModelName.TWIN, image_id(PATIENT, Sequence.T1), {})
    assert Path(twin).name == "levels.nii.gz"
    saved = client.save_label(sample["id"], file, params={"level_id": sample["level_id"]})
    assert [read["level_id"] for read in saved["reads"]] == [sample["level_id"]]
    assert saved["untouched"] == len(LEVELS) - 1
    assert client.info()["datastore"]["completed"] == 1
    label = json.loads(Path(client.download_label(sample["id"], "final")).read_text())
    assert label["reads"][-1]["level"] == sample["level"]
    assert client.train_start("fracture_classification", {})["status"] in ("SUBMITTED", "RUNNING")
    assert client.train_status()["status"] in ("SUBMITTED", "RUNNING", "DONE", "ERROR")
    client.train_stop()


def test_slicer_gets_the_series_as_nifti(server: RunningServer, tmp_path: Path) -> None:
    path = tmp_path / "image.nii.gz"
    path.write_bytes(httpx.get(f"{server.url}/datastore/image", params={"image": image_id(PATIENT)}).content)
    shown, stored = (
        read_nifti(path),
        server.room.catalogue.picture(server.room.catalogue.find(image_id(PATIENT))),
    )
    assert (shown.pixels == stored.pixels).all()
    assert np.allclose(shown.frame.matrix, stored.frame.matrix, atol=1e-3)


def test_a_study_that_came_later_is_found_by_its_id(
    client: MONAILabelClient, server: RunningServer, orthanc: Orthanc, tmp_path: Path
) -> None:
    orthanc.store(*write_study(tmp_path, LATER))
    _, answer = client.infer(ModelName.CLASSIFICATION, image_id(LATER, Sequence.T1), {})
    assert answer["image"] == image_id(LATER)
    unknown = httpx.post(f"{server.url}/infer/vertebra_detection?image=1.2.3.4")
    assert unknown.status_code == 404


def test_only_mr_is_copied(orthanc: Orthanc, server: RunningServer, tmp_path: Path) -> None:
    found = Archive(orthanc.dicom_web, tmp_path).series()
    assert found
    file = write_study(tmp_path / "sent", "phantom-000009", (Sequence.T2,))[0]
    other = dcmread(file)
    other.Modality = "CT"
    other.save_as(file)
    orthanc.store(file)
    assert Archive(orthanc.dicom_web, tmp_path).series() == found


def test_a_series_that_grew_is_copied_again(orthanc: Orthanc, tmp_path: Path) -> None:
    files = write_study(tmp_path / "sent", "phantom-000007", (Sequence.T2,))
    archive = Archive(orthanc.dicom_web, tmp_path / "cache")
    for part, count in ((files[:3], 3), (files[3:], 5)):
        orthanc.store(*part)
        (series,) = archive.series(image_id("phantom-000007"))
        assert len(list(archive.fetch(series).iterdir())) == count
    assert not list((tmp_path / "cache").glob(".fetching-*"))


def test_an_archive_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with pytest.raises(RemoteError, match=r"127\.0\.0\.1 did not answer"):
        Archive("http://127.0.0.1:9/dicom-web", tmp_path).series()


def test_the_password_goes_to_the_archive_and_into_no_error(tmp_path: Path) -> None:
    asked: list[str] = []

    class Closed(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers.get("Authorization", ""))
            self.send_error(401)

        def log_message(self, *_: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Closed) as door:
        threading.Thread(target=door.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{door.server_port}/dicom-web"
        with pytest.raises(RemoteError, match="HTTP 401") as error:
            Archive(url, tmp_path, Credentials("reader", "secret")).series()
        door.shutdown()
    assert asked[0].startswith("Basic ")
    assert "secret" not in str(error.value)
