"""Reports that came in: where they are fetched from, and the record that each is looked at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import httpx
from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from spine_fracture.cohort.columns import now
from spine_fracture.cohort.models import Study, StudyLevel
from spine_fracture.cohort.patients import pseudonym
from spine_fracture.cohort.people import FOREIGN
from spine_fracture.cohort.reports import ArrivalState, ReceivedReport, Report
from spine_fracture.dicom.sr.found import FoundReport
from spine_fracture.dicom.sr.tree import uids_in
from spine_fracture.errors import NotFoundError, RemoteError
from spine_fracture.server.archive import Archive
from spine_fracture.server.dicomweb import multipart

UNKNOWN_STUDY = "Its study is not in the catalogue: take the study in, and the report is looked at again."
_NOBODY = frozenset({"", "unknown", "unknown unknown", "anonymous", "none"})
_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_LETTERS = 10
#: A report that was announced and has not come after so long will not come.
PATIENCE = timedelta(hours=1)


class Shelf(Protocol):
    """Where the files of received reports are."""

    def fetch(self, report: ReceivedReport) -> bytes:
        """Raises :class:`NotFoundError` when it is not there, :class:`RemoteError` when nobody answers."""


@dataclass(frozen=True)
class FolderShelf:
    """Where our own DICOMweb over a folder keeps what viewers store."""

    folder: Path

    def fetch(self, report: ReceivedReport) -> bytes:
        try:
            return (self.folder / report.study_uid / f"{report.sop_uid}.dcm").read_bytes()
        except OSError:
            raise NotFoundError("The file of this report is gone: store it again.") from None


@dataclass(frozen=True, eq=False)
class ArchiveShelf:
    """WADO-RS of the archive."""

    archive: Archive

    def fetch(self, report: ReceivedReport) -> bytes:
        where = f"studies/{report.study_uid}/series/{report.series_uid}/instances/{report.sop_uid}"
        given = self.archive.credentials
        try:
            answer = httpx.get(
                f"{self.archive.url}/{where}",
                headers={"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'},
                auth=(given.user, given.password) if given else None,
                timeout=_TIMEOUT,
                trust_env=False,
            )
        except httpx.HTTPError:
            raise RemoteError("The archive does not answer: the report is looked at later.") from None
        if answer.status_code in (404, 410):
            raise NotFoundError("The archive does not have this report any more: store it again.")
        if not answer.is_success:
            raise RemoteError(f"The archive answered with HTTP {answer.status_code} when asked for a report.")
        return multipart.split(answer.headers.get("content-type", ""), answer.content, "application/dicom")[0]


def note_arrival(session: Session, found: FoundReport, home: Path) -> ReceivedReport | None:
    """The row of a report that was met in the archive; None when it was met before and is done with."""
    row = session.scalar(select(ReceivedReport).where(ReceivedReport.sop_uid == found.sop_uid))
    if row is not None and not row.is_foretold:
        return row if row.state is ArrivalState.ARRIVED else None
    ours = session.scalar(select(Report.author).where(Report.sop_uid == found.sop_uid))
    author = ours or reader_of(found, home)
    if row is None:
        row = ReceivedReport(sop_uid=found.sop_uid)
        session.add(row)
    elif (row.study_uid, row.author) == (found.study_uid, author):
        return None
    # A later report spoke for this one, which it may only do for its own author and study.
    row.series_uid, row.study_uid, row.author = found.series_uid, found.study_uid, author
    row.state, row.reason = ArrivalState.OURS if ours else ArrivalState.ARRIVED, ""
    session.flush()
    return None if ours else row


def note_unreadable(session: Session, data: bytes, instance: str) -> int | None:
    """The id of the row of a report that cannot be read, or be fetched (``data`` is empty); None when that
    was done with before.

    It is known by its UID, or by its id in the archive (``instance``) where it has none.
    """
    sop_uid, series_uid, study_uid = uids_in(data)
    known = session.scalar(select(ReceivedReport).where(ReceivedReport.sop_uid == (sop_uid or instance)))
    if known is None:
        known = ReceivedReport(
            sop_uid=sop_uid or instance,
            series_uid=series_uid,
            study_uid=study_uid,
            author=f"{FOREIGN}unknown",
            state=ArrivalState.ARRIVED,
        )
        session.add(known)
        session.flush()
    return known.id if known.state is ArrivalState.ARRIVED else None


def reader_of(found: FoundReport, home: Path) -> str:
    """A reader id for the author of a report: the same for the same name, and without the name in it.

    Reports whose author is not named are by the author of their series.
    """
    name = " ".join(found.observer.name.replace("^", " ").split()).casefold()
    who = f"series {found.series_uid}" if name in _NOBODY else f"name {name}"
    return FOREIGN + pseudonym(home, "observer of a report", who).removeprefix("patient-")[:_LETTERS]


def to_look_at(session: Session) -> tuple[ReceivedReport, ...]:
    """Those that can be looked at now, because the models have read their study, and those given up on."""
    has_levels = (
        select(StudyLevel.id)
        .join(Study)
        .where(Study.uid == ReceivedReport.study_uid)
        .correlate(ReceivedReport)
    ).exists()
    unknown = and_(ReceivedReport.state == ArrivalState.UNMATCHED, ReceivedReport.reason == UNKNOWN_STUDY)
    query = select(ReceivedReport).where(
        or_(ReceivedReport.state == ArrivalState.ARRIVED, unknown), has_levels
    )
    return tuple(session.scalars(query.order_by(ReceivedReport.id)))


def waited_too_long(report: ReceivedReport) -> bool:
    return now() - report.created > PATIENCE
