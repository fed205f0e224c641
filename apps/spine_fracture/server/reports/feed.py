"""The change feed of an Orthanc (``/changes``), over pyorthanc: what came in since we last looked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
from pyorthanc import Orthanc

from spine_fracture.dicom.sr.tree import SR_CLASSES
from spine_fracture.errors import RemoteError
from spine_fracture.server.archive import Archive

_DICOM_WEB = "/dicom-web"
_PAGE = 500
_NEW_INSTANCE = "NewInstance"


class FeedSilentError(RemoteError):
    """The archive did not answer, or said that something is wrong with itself or with what was asked for."""


@dataclass(frozen=True)
class Page:
    """Orthanc's ids of instances that came in, and up to which change was looked. ``done``: no more now."""

    instances: tuple[str, ...]
    last: int
    done: bool


class Feed:
    """The changes of one Orthanc. Every new instance is a change, one added to an old series too."""

    def __init__(self, root: str, archive: Archive) -> None:
        given = archive.credentials
        self._client = Orthanc(
            root,
            given.user if given else None,
            given.password if given else None,
            return_raw_response=True,
            timeout=httpx.Timeout(30.0, connect=5.0),
            trust_env=False,
        )
        #: What the position in this feed is kept under.
        self.name = f"orthanc {hashlib.sha256(root.encode()).hexdigest()[:32]}"

    @classmethod
    def of(cls, archive: Archive) -> Feed | None:
        """The feed behind an archive's DICOMweb address; None when that is not where an Orthanc has it."""
        if not archive.url.endswith(_DICOM_WEB):
            return None
        return cls(archive.url.removesuffix(_DICOM_WEB), archive)

    def since(self, position: int | None) -> Page:
        """What came after change ``position``; all reports there are when that is not known (None).

        So, too, when Orthanc is at an earlier change than that: it was set up anew.
        Raises :class:`RemoteError` when nobody answers, or no Orthanc does.
        """
        if position is None:
            return self._all()
        page = self._changes({"since": position, "limit": _PAGE})
        last = int(page["Last"])
        if last < position:
            return self._all()
        new = (change["ID"] for change in page["Changes"] if change["ChangeType"] == _NEW_INSTANCE)
        return Page(tuple(dict.fromkeys(map(str, new))), last, bool(page["Done"]))

    def _all(self) -> Page:
        """Asked for by modality: to go through every picture of an old archive would take hours."""
        last = int(self._changes({"last": ""})["Last"])
        query = {"Level": "Instance", "Query": {"Modality": "SR"}, "Expand": True}
        answer = self._ask(lambda: self._client.post_tools_find(query))
        found = sorted(answer.json(), key=_in_series) if answer is not None else []
        return Page(tuple(str(instance["ID"]) for instance in found), last, done=False)

    def _changes(self, which: dict[str, Any]) -> dict[str, Any]:
        answer = self._ask(lambda: self._client.get_changes(which))
        if answer is None:
            raise RemoteError("The archive has no change feed: reports that others store there are not seen.")
        page: dict[str, Any] = answer.json()
        return page

    def report(self, instance: str) -> bytes | None:
        """The file of an instance if it is a structured report, and still there.

        Raises :class:`FeedSilentError` when the archive cannot give it.
        """
        kind = self._ask(lambda: self._client.get_instances_id_metadata_name(instance, "SopClassUid"))
        if kind is None or kind.text.strip() not in SR_CLASSES:
            return None
        file = self._ask(lambda: self._client.get_instances_id_file(instance))
        return None if file is None else bytes(file.content)

    def close(self) -> None:
        self._client.close()

    def _ask(self, question: Callable[[], Any]) -> Any:
        """The answer; None where there is nothing."""
        try:
            answer = question()
        except httpx.HTTPError:
            raise FeedSilentError(
                "The archive does not answer: reports of others are looked for later."
            ) from None
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        if answer.is_server_error:
            raise FeedSilentError(
                f"The archive answered with HTTP {answer.status_code}: reports of others are looked for "
                "later."
            )
        if not answer.is_success:
            raise RemoteError(
                f"The archive's change feed answered with HTTP {answer.status_code}: reports of others are "
                "not seen until it is allowed."
            )
        return answer


def _in_series(instance: dict[str, Any]) -> tuple[str, int]:
    number = str(instance.get("MainDicomTags", {}).get("InstanceNumber", "")).strip()
    return str(instance.get("ParentSeries", "")), int(number) if number.isdigit() else 0
