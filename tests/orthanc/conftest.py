"""A real Orthanc of our own: a free port, a temporary configuration, gone at the end."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

BINARY = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
PLUGINS = Path("/usr/share/orthanc/plugins")


@dataclass(frozen=True)
class Orthanc:
    """``url`` is its REST root, ``dicom_web`` what MONAI Label is given as --studies."""

    url: str

    @property
    def dicom_web(self) -> str:
        return f"{self.url}/dicom-web"

    def store(self, *files: Path) -> None:
        for file in files:
            httpx.post(f"{self.url}/instances", content=file.read_bytes(), timeout=30).raise_for_status()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    if not Path(BINARY).exists() or not (PLUGINS / "libOrthancDicomWeb.so").exists():
        pytest.fail("Orthanc is not installed: run tests/setup-system.sh (make test does).")
    folder = tmp_path_factory.mktemp("orthanc")
    port = free_port()
    configuration = {
        "Name": "tests",
        "HttpPort": port,
        "DicomPort": free_port(),
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "Plugins": [str(PLUGINS / "libOrthancDicomWeb.so")],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (folder / "orthanc.json").write_text(json.dumps(configuration))
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen([BINARY, str(folder / "orthanc.json")], stdout=log, stderr=log)
    try:
        server = Orthanc(f"http://127.0.0.1:{port}")
        _wait_for(server, process, folder / "orthanc.log")
        yield server
    finally:
        process.terminate()
        process.wait(20)


def _wait_for(server: Orthanc, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(f"{server.url}/system", timeout=1).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.1)
    pytest.fail(f"Orthanc did not start:\n{log.read_text()[-2000:]}")
