"""Where reports are stored: in an archive over STOW-RS (PS3.18 10.5), or in the project's folder."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import httpx
from pydicom import dcmread
from pydicom.filewriter import dcmwrite

from spine_fracture.cohort.project import Project
from spine_fracture.errors import InputError, RemoteError
from spine_fracture.server.archive import Archive
from spine_fracture.server.dicomweb import multipart
from spine_fracture.server.dicomweb.headers import under_key
from spine_fracture.server.dicomweb.stow import is_refusal
from spine_fracture.server.sources import ArchiveSource, Source

_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
#: Answers after which the same report will be refused again.
_REFUSALS = frozenset({400, 409, 413, 415, 422})
_MAY_BE_EMPTY = ["PatientBirthDate", "PatientSex", "StudyID", "AccessionNumber", "ReferringPhysicianName"]


class Delivery(Protocol):
    """``folder`` is where the files lie until they are stored, and after."""

    @property
    def folder(self) -> Path: ...

    def prepared(self, data: bytes, patient_key: str) -> bytes:
        """The file as it will be stored."""

    def store(self, data: bytes) -> None:
        """Raises :class:`RemoteError` when it may work later, :class:`InputError` when it never will."""


@dataclass(frozen=True)
class FolderDelivery:
    """The file in the project's results is the report: under the patient's key, as all in there."""

    folder: Path

    def prepared(self, data: bytes, patient_key: str) -> bytes:
        ds = dcmread(BytesIO(under_key(data, patient_key)))
        # What names people was taken out whole; a report needs these, and they may be empty.
        for name in _MAY_BE_EMPTY:
            if name not in ds:
                setattr(ds, name, "")
        ds.ReferencedPerformedProcedureStepSequence = []
        buffer = BytesIO()
        dcmwrite(buffer, ds, write_like_original=False)
        return buffer.getvalue()

    def store(self, data: bytes) -> None:
        return None


@dataclass(frozen=True, eq=False)
class ArchiveDelivery:
    """The archive knows its patients by their own ids, so the report carries those of its pictures."""

    folder: Path
    archive: Archive

    def prepared(self, data: bytes, patient_key: str) -> bytes:
        return data

    def store(self, data: bytes) -> None:
        message = multipart.join([data], "application/dicom")
        given = self.archive.credentials
        try:
            answer = httpx.post(
                f"{self.archive.url}/studies",
                content=message.body,
                headers={"Content-Type": message.content_type, "Accept": "application/dicom+json"},
                auth=(given.user, given.password) if given else None,
                timeout=_TIMEOUT,
                trust_env=False,
            )
        except httpx.HTTPError:
            raise RemoteError(
                f"The archive at {self._host} does not answer: the report is kept here and sent again."
            ) from None
        if answer.status_code in _REFUSALS or (answer.is_success and is_refusal(answer.content)):
            raise InputError(
                f"The archive at {self._host} refused the report (HTTP {answer.status_code}): tell whoever "
                "runs the archive."
            )
        if not answer.is_success:
            raise RemoteError(
                f"The archive at {self._host} answered with HTTP {answer.status_code}: the report is kept "
                "here and sent again."
            )

    @property
    def _host(self) -> str | None:
        return urlsplit(self.archive.url).hostname


def delivery_for(project: Project, source: Source) -> Delivery:
    """Reports go where the pictures came from: the archive, or else the project's folder."""
    if isinstance(source, ArchiveSource):
        return ArchiveDelivery(project.settings.cache_folder / "reports", source.archive)
    return FolderDelivery(project.settings.results_folder / "reports")
