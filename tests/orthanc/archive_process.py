"""A real Orthanc of our own: a free port, a folder of its own, stopped and started again as tests need."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

BINARY = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
PLUGINS = Path("/usr/share/orthanc/plugins")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(eq=False)
class Orthanc:
    """``url`` is its REST root, ``dicom_web`` what is given as --studies. ``folder`` keeps all it has."""

    folder: Path
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def dicom_web(self) -> str:
        return f"{self.url}/dicom-web"

    def store(self, *files: Path) -> None:
        for file in files:
            httpx.post(f"{self.url}/instances", content=file.read_bytes(), timeout=30).raise_for_status()

    def start(self) -> None:
        if not Path(BINARY).exists() or not (PLUGINS / "libOrthancDicomWeb.so").exists():
            pytest.fail("Orthanc is not installed: run tests/setup-system.sh (make test does).")
        configuration = {
            "Name": "tests",
            "HttpPort": self.port,
            "DicomPort": free_port(),
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "StorageDirectory": str(self.folder / "storage"),
            "IndexDirectory": str(self.folder / "storage"),
            "Plugins": [str(PLUGINS / "libOrthancDicomWeb.so")],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        }
        (self.folder / "orthanc.json").write_text(json.dumps(configuration))
        with (self.folder / "orthanc.log").open("ab") as log:
            command = [BINARY, str(self.folder / "orthanc.json")]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self._wait()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self._process is not None and self._process.poll() is None:
            try:
                httpx.get(f"{self.url}/system", timeout=1).raise_for_status()
                return
            except httpx.HTTPError:
                time.sleep(0.1)
        pytest.fail(f"Orthanc did not start:\n{(self.folder / 'orthanc.log').read_text()[-2000:]}")
