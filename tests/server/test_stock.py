"""MONAI Label's own ``start_server`` with this app: with its own routes, and with our application."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import psutil
import pytest
from monailabel.client.client import MONAILabelClient
from server.readers import next_assisted
from server.running import free_port
from server.studies import LEVELS, image_id, reading, study_uid, write_study

from spine_fracture.bundle import SHIPPED_WEIGHTS, read_manifest
from spine_fracture.cohort.ingest import ingest
from spine_fracture.cohort.levels import store_reading
from spine_fracture.cohort.project import open_project
from spine_fracture.cohort.studies import load_pair

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")
PATIENT = "phantom-000001"
APP = SHIPPED_WEIGHTS.parent
START_S = 240  # MONAI Label imports for 20 s on a free machine


@dataclass(frozen=True)
class StartedServer:
    url: str
    home: Path
    log: Path
    process: subprocess.Popen[bytes]

    def wait(self, deadline: float) -> None:
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                httpx.get(f"{self.url}/info/", timeout=5).raise_for_status()
                return
            except httpx.HTTPError:
                time.sleep(0.5)
        pytest.fail(f"start_server did not start:\n{self.log.read_text()[-3000:]}")


def start(folder: Path, studies: Path, *options: str) -> StartedServer:
    """The command as a user types it, offline, over a project in which the study was read already."""
    home, log, port = folder / "home", folder / "log.txt", free_port()
    folder.mkdir()
    project = open_project(home)
    ingest(studies, "Test centre", project)
    with project.transaction() as session:
        found = reading(load_pair(session, study_uid(PATIENT)).reference, study_uid(PATIENT))
        shipped = [read_manifest(SHIPPED_WEIGHTS / name).version for name in ("detector", "classifier")]
        store_reading(session, replace(found, detector_version=shipped[0], classifier_version=shipped[1]))
    command = [sys.executable, "-m", "monailabel.main", "start_server", "--app", str(APP)]
    command += ["--studies", str(studies), "--host", "127.0.0.1", "--port", str(port), *options]
    nowhere = "http://127.0.0.1:9"
    environment = os.environ | {
        "SPINE_FRACTURE_HOME": str(home),
        "HTTP_PROXY": nowhere,
        "HTTPS_PROXY": nowhere,
        "NO_PROXY": "127.0.0.1",
        "OMP_NUM_THREADS": "1",
    }
    process = subprocess.Popen(command, env=environment, stdout=log.open("wb"), stderr=subprocess.STDOUT)
    return StartedServer(f"http://127.0.0.1:{port}", home, log, process)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, StartedServer]]:
    folder = tmp_path_factory.mktemp("stock")
    write_study(folder / "studies", PATIENT)
    started: dict[str, StartedServer] = {}
    kinds = {"stock": (), "ours": ("--uvicorn_app", "spine_fracture.server.asgi:app")}
    try:
        # One after the other: two that start at once race for the folders that MONAI Label makes in the app.
        for name, options in kinds.items():
            started[name] = start(folder / name, folder / "studies", *options)
            started[name].wait(time.monotonic() + START_S)
        yield started
    finally:
        for server in started.values():
            # A training that MONAI Label was about to begin when it was told to stop goes on without it.
            begun = psutil.Process(server.process.pid).children(recursive=True)
            server.process.terminate()
            server.process.wait(30)
            for process in begun:
                with suppress(psutil.NoSuchProcess):
                    process.kill()


@pytest.mark.parametrize("name", ["stock", "ours"])
def test_info_infer_activelearning_save_and_train(
    servers: dict[str, StartedServer], name: str, tmp_path: Path
) -> None:
    server = servers[name]
    client = MONAILabelClient(server.url, tmpdir=str(tmp_path), client_id="reader-1")
    info = client.info()
    assert set(info["models"]) == {
        "vertebra_detection",
        "fracture_classification",
        "spine_segmentation_twin",
    }
    assert {"uncertainty", "random_stratified"} <= set(info["strategies"])
    assert (set(info["trainers"]), set(info["scoring"])) == (
        {"fracture_classification"},
        {"reader_agreement"},
    )
    sample = next_assisted(client, tmp_path)
    assert (sample["id"], sample["level"] in LEVELS) == (image_id(PATIENT), True)
    file, answer = client.infer("vertebra_detection", sample["id"], {})
    assert [level["level"] for level in answer["levels"]] == list(LEVELS)
    twin, _ = client.infer("spine_segmentation_twin", sample["id"], {"result_extension": ".nrrd"})
    assert Path(twin).read_bytes().startswith(b"NRRD")
    client.save_label(sample["id"], file, params={"level_id": sample["level_id"]})
    assert client.info()["datastore"]["completed"] == 1
    label = json.loads(Path(client.download_label(sample["id"], "final")).read_text())
    assert label["reads"][-1]["level"] == sample["level"]
    assert client.train_start("fracture_classification", {})["status"] in ("SUBMITTED", "RUNNING")
    assert client.train_status()["status"] in ("SUBMITTED", "RUNNING")
    client.train_stop()


@pytest.mark.parametrize("name", ["stock", "ours"])
def test_no_request_reaches_a_path_of_the_server(servers: dict[str, StartedServer], name: str) -> None:
    path = servers[name].home / "secret.key"
    path.write_text("secret")
    for model in ("vertebra_detection", "spine_segmentation_twin"):
        response = httpx.post(f"{servers[name].url}/infer/{model}", params={"image": str(path)})
        assert response.status_code == 404


def test_neither_package_nor_studies_are_written(servers: dict[str, StartedServer]) -> None:
    assert not [name for name in ("model", "lib", "logs", "bin") if (APP / name).exists()]
    studies = servers["stock"].home.parents[1] / "studies"
    assert {path.suffix for path in studies.rglob("*") if path.is_file()} == {".dcm"}
    assert all((server.home / "logs" / "app.log").exists() for server in servers.values())
