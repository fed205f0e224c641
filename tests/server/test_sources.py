"""An archive taken in: what it delivers, where one of its series never comes."""

from __future__ import annotations

import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from pydicom import dcmread
from server.studies import image_id, study_uid, write_study
from sqlalchemy import select

from spine_fracture.cohort.models import Instance, Series
from spine_fracture.cohort.project import Project, open_project
from spine_fracture.errors import RemoteError
from spine_fracture.imaging import Sequence
from spine_fracture.server.archive import Archive
from spine_fracture.server.dicomweb import multipart
from spine_fracture.server.sources import ArchiveSource

PATIENTS = ("phantom-000001", "phantom-000003")
T1, T2 = image_id(PATIENTS[0], Sequence.T1), image_id(PATIENTS[0])
OTHERS = {image_id(PATIENTS[1], sequence) for sequence in (Sequence.T1, Sequence.T2)}


@dataclass(eq=False)
class Shop:
    """What an archive has: the files of each series, by study and series; ``broken`` ones are not delivered.

    One that ``is_damaged`` sends no DICOM instead of an error; one that ``goes_down`` then answers nothing.
    """

    files: dict[tuple[str, str], list[Path]] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    is_damaged: bool = False
    goes_down: bool = False
    is_down: bool = False
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, address: str) -> tuple[int, str, bytes]:
        """Status, type and body."""
        parts = urlsplit(address).path.strip("/").split("/")
        if self.is_down:
            return 503, "text/plain", b""
        if parts[-1] == "series":
            found = self._listed(parts[1] if len(parts) == 3 else "", parse_qs(urlsplit(address).query))
            return 200, "application/dicom+json", json.dumps(found).encode()
        study, series = parts[1], parts[3]
        self.asked.append(series)
        if series not in self.broken:
            sent = [path.read_bytes() for path in self.files[study, series]]
        elif self.is_damaged:
            sent = [b"no DICOM at all"]
        else:
            self.is_down = self.goes_down
            return 500, "text/plain", b""
        message = multipart.join(sent, "application/dicom")
        return 200, message.content_type, message.body

    def _listed(self, study: str, wanted: dict[str, list[str]]) -> list[dict[str, object]]:
        if wanted["Modality"] != ["MR"] or wanted.get("offset", ["0"]) != ["0"]:
            return []
        only = wanted.get("SeriesInstanceUID", [""])[0]
        return [
            {
                "0020000D": {"vr": "UI", "Value": [uids[0]]},
                "0020000E": {"vr": "UI", "Value": [uids[1]]},
                "00201209": {"vr": "IS", "Value": [len(files)]},
            }
            for uids, files in self.files.items()
            if study in ("", uids[0]) and only in ("", uids[1])
        ]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop()
    for patient in PATIENTS:
        for path in write_study(tmp_path / "sent", patient):
            ds = dcmread(path, stop_before_pixels=True)
            made.files.setdefault((ds.StudyInstanceUID, ds.SeriesInstanceUID), []).append(path)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, body = made.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return open_project(tmp_path / "home")


@pytest.fixture
def source(shop: Shop, tmp_path: Path) -> ArchiveSource:
    return ArchiveSource(Archive(shop.url, tmp_path / "cache"), "Test centre")


def taken_in(project: Project) -> set[str]:
    with project.session() as session:
        return set(session.scalars(select(Series.uid)))


@pytest.mark.parametrize("is_damaged", [False, True])
def test_a_series_that_does_not_come_holds_up_no_other(
    shop: Shop, project: Project, source: ArchiveSource, caplog: pytest.LogCaptureFixture, is_damaged: bool
) -> None:
    shop.broken, shop.is_damaged = {T1}, is_damaged
    with caplog.at_level(logging.WARNING):
        source.gather(project)
    assert taken_in(project) == {T2, *OTHERS}
    (line,) = [record.getMessage() for record in caplog.records if "left out" in record.getMessage()]
    assert "1 of 4 series" in line and T1 not in line and study_uid(PATIENTS[0]) not in line
    shop.broken = set()
    source.gather(project)
    assert taken_in(project) == {T1, T2, *OTHERS}


def test_a_series_that_does_not_come_holds_up_none_of_its_study_that_is_looked_for(
    shop: Shop, project: Project, source: ArchiveSource
) -> None:
    shop.broken = {T1}
    source.look_for(project, T2)
    assert taken_in(project) == {T2}


def test_half_a_copy_that_was_left_behind_is_not_taken_in_and_goes(
    shop: Shop, project: Project, source: ArchiveSource
) -> None:
    """A server was killed while it copied; another one that copies just now is left alone."""
    for name, age in (("left", 2 * 86_400), ("now", 0)):
        half = source.archive.cache / f".fetching-{name}"
        (half / "series").mkdir(parents=True)
        for (_, uid), files in shop.files.items():
            shutil.copy(files[0], half / "series" / f"{uid}.dcm")
        os.utime(half, (time.time() - age,) * 2)
    source.gather(project)
    assert taken_in(project) == {T1, T2, *OTHERS}
    with project.session() as session:
        assert not [path for path in session.scalars(select(Instance.path)) if "fetching" in path]
    assert [path.name for path in source.archive.cache.glob(".*")] == [".fetching-now"]


def test_an_archive_that_goes_down_is_not_asked_for_each_series(
    shop: Shop, project: Project, source: ArchiveSource
) -> None:
    shop.broken, shop.goes_down = {uid for _, uid in shop.files}, True
    with pytest.raises(RemoteError, match="503"):
        source.gather(project)
    assert len(shop.asked) == 1
    assert taken_in(project) == set()
