"""An archive over DICOMweb (QIDO-RS and WADO-RS, PS3.18), read only: series copied to the cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from dicomweb_client import DICOMwebClient
from requests.adapters import HTTPAdapter

from spine_fracture.errors import RemoteError, StorageError

#: The rest of an archive is never asked for.
_MODALITIES = ("MR", "DX", "CR")
_AS_STORED = (("application/dicom", "*"),)
#: Copies on their way are in folders of these names, which no scan looks into.
_ON_THE_WAY = ".fetching-"
#: No series takes a day to come: what is older was left by a process that was killed.
_LEFT_BEHIND_S = 86_400.0
_STUDY_UID, _SERIES_UID, _INSTANCES = "0020000D", "0020000E", "00201209"


@dataclass(frozen=True)
class RemoteSeries:
    """A series that the archive says it has. ``instances`` is None when it does not count them."""

    study_uid: str
    series_uid: str
    instances: int | None


@dataclass(frozen=True)
class Credentials:
    user: str
    password: str


class _Patient(HTTPAdapter):
    """Every request ends: requests itself would wait for ever."""

    def send(self, request: Any, **options: Any) -> requests.Response:  # type: ignore[override]
        options["timeout"] = (5.0, 60.0)
        return super().send(request, **options)


class Archive:
    """One DICOMweb service and the folder its series are copied to. Safe to use from several threads."""

    def __init__(self, url: str, cache: Path, credentials: Credentials | None = None) -> None:
        session = requests.Session()
        session.mount("http://", _Patient())
        session.mount("https://", _Patient())
        if credentials is not None:
            session.auth = (credentials.user, credentials.password)
        self._client = DICOMwebClient(url, session=session)
        self._client.set_http_retry_params(retry=False)
        self.url = url
        self.credentials = credentials
        self.cache = cache

    def series(self, series_uid: str | None = None) -> tuple[RemoteSeries, ...]:
        """The series of the archive that could be read, or the one with this UID if it is there."""
        wanted = {"SeriesInstanceUID": series_uid} if series_uid else {}
        found = []
        with self._answering():
            for modality in _MODALITIES:
                found += self._client.search_for_series(
                    search_filters={"Modality": modality, **wanted},
                    fields=["NumberOfSeriesRelatedInstances"],
                    get_remaining=True,
                )
        return tuple(sorted(map(_remote, found), key=lambda s: (s.study_uid, s.series_uid)))

    def study(self, study_uid: str) -> tuple[RemoteSeries, ...]:
        """The series of one study that could be read."""
        found = []
        with self._answering():
            for modality in _MODALITIES:
                found += self._client.search_for_series(
                    study_uid,
                    search_filters={"Modality": modality},
                    fields=["NumberOfSeriesRelatedInstances"],
                )
        return tuple(map(_remote, found))

    def folder(self, series: RemoteSeries) -> Path:
        """Where the copy of ``series`` lies, or will; named by digests, as UIDs come from outside."""
        return self.cache / _digest(series.study_uid) / _digest(series.series_uid)

    def fetch(self, series: RemoteSeries) -> Path:
        """Copy ``series`` to the cache unless it is there whole, and return its folder.

        The folder appears at once with all its files. Raises :class:`RemoteError` when the archive does
        not deliver and :class:`StorageError` when the disk refuses.
        """
        folder = self.folder(series)
        if folder.is_dir() and series.instances in (None, sum(1 for _ in folder.iterdir())):
            return folder
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            self._clear()
            with tempfile.TemporaryDirectory(dir=self.cache, prefix=_ON_THE_WAY) as temporary:
                incoming = Path(temporary) / "series"
                incoming.mkdir()
                with self._answering():
                    self._download(series, incoming)
                # Another thread may have fetched it meanwhile; the copies are the same.
                shutil.rmtree(folder, ignore_errors=True)
                incoming.replace(folder)
        except OSError as error:
            raise StorageError(
                f"A series could not be copied from the archive: {error.strerror}. Free some space in the "
                "project folder."
            ) from error
        return folder

    def _clear(self) -> None:
        """Delete what processes that were killed left in the cache; another one may be copying now."""
        for left in self.cache.glob(f"{_ON_THE_WAY}*"):
            with suppress(FileNotFoundError):  # it has come, or another thread was quicker
                if time.time() - left.stat().st_mtime > _LEFT_BEHIND_S:
                    shutil.rmtree(left, ignore_errors=True)

    def _download(self, series: RemoteSeries, folder: Path) -> None:
        instances = self._client.iter_series(series.study_uid, series.series_uid, media_types=_AS_STORED)
        for index, instance in enumerate(instances):
            with (folder / f"{index:05d}.dcm").open("wb") as stream:
                instance.save_as(stream, write_like_original=False)
                stream.flush()
                os.fsync(stream.fileno())

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except requests.RequestException as error:
            status = error.response.status_code if error.response is not None else None
            said = f"answered with HTTP {status}" if status else "did not answer"
            host = urlsplit(self.url).hostname
            raise RemoteError(f"The archive at {host} {said}: check its address and that it runs.") from error


def _remote(found: dict[str, dict[str, list[Any]]]) -> RemoteSeries:
    counted = found.get(_INSTANCES, {}).get("Value")
    return RemoteSeries(
        study_uid=str(found[_STUDY_UID]["Value"][0]),
        series_uid=str(found[_SERIES_UID]["Value"][0]),
        instances=int(counted[0]) if counted else None,
    )


def _digest(uid: str) -> str:
    return hashlib.sha256(uid.encode()).hexdigest()[:32]
