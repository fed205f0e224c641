"""What both stores do: answer a DICOMweb address, for somebody who may see all or only the pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from starlette.datastructures import QueryParams
from starlette.responses import Response

from spine_fracture.errors import NotFoundError
from spine_fracture.server.dicomweb.addresses import Address
from spine_fracture.server.dicomweb.pictures import Pictures
from spine_fracture.server.dicomweb.stow import SentReport

JSON = "application/dicom+json"
#: Pictures do not change under their UID; who was shown one may keep it for a working day.
KEEP = "private, max-age=43200, immutable"
#: Lists change, and what is hidden while a level is being read must not come out of a browser's memory.
ASK_AGAIN = "no-store"


@dataclass(frozen=True)
class Question:
    """One GET. ``accept`` is the header; ``pictures_only`` for programs, and while a reader reads."""

    address: Address
    query: QueryParams
    accept: str
    pictures_only: bool


class DicomWeb(Protocol):
    """An archive or a folder over DICOMweb."""

    pictures: Pictures

    async def answer(self, question: Question) -> Response:
        """The answer to a GET. Raises :class:`NotFoundError` also for what the asker may not see now."""

    async def store(self, report: SentReport) -> None:
        """Keep a report.

        Raises :class:`UnsureError` when nobody can tell whether it was kept, and :class:`RemoteError`,
        :class:`InputError`, :class:`UnreadablePictureError` or :class:`StorageError` when it surely was not.
        """

    async def close(self) -> None:
        """End what is held open."""


def gone() -> NotFoundError:
    """The same words for what is hidden, deleted or never was, so that they tell nothing."""
    return NotFoundError(
        "This study has no such series or picture now. It may have been deleted or moved in the archive: "
        "reload the page, and tell the data manager if a level was to be read on it."
    )
