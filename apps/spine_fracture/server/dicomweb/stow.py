"""STOW-RS of structured reports, such as OHIF sends when a reader saves measurements; of nothing else."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filereader import _read_file_meta_info, read_preamble
from pydicom.uid import (
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    DeflatedExplicitVRLittleEndian,
    EnhancedSRStorage,
)
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from spine_fracture.cohort import models
from spine_fracture.cohort.audit import record
from spine_fracture.cohort.columns import now
from spine_fracture.cohort.patients import names
from spine_fracture.cohort.people import FOREIGN
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.reports import ArrivalState, ReceivedReport, Report
from spine_fracture.errors import ConflictError, InputError, NotFoundError
from spine_fracture.server.dicomweb import multipart
from spine_fracture.server.dicomweb.attributes import Attributes, of

_REPORTS = (EnhancedSRStorage, ComprehensiveSRStorage, Comprehensive3DSRStorage)
_FAILED = "00081198"
#: Nothing of these has become a read, so that taking them in once more does no harm.
_NOT_TAKEN = (ArrivalState.ARRIVED, ArrivalState.UNMATCHED)
_UID = re.compile(r"[0-9](?:[0-9.]{0,62}[0-9])?")


@dataclass(frozen=True)
class SentReport:
    """A structured report as it was sent; ``patient`` is the key of the patient of its study."""

    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class: str
    patient: str
    data: bytes


def reports_in(project: Project, content_type: str, body: bytes) -> tuple[SentReport, ...]:
    """The reports of a STOW request, each of them one that may be kept.

    Raises :class:`InputError` for what is no structured report, :class:`NotFoundError` for a study that
    is not in the catalogue, :class:`ConflictError` for a report on another patient or under UIDs in use.
    """
    parts = multipart.split(content_type, body, "application/dicom")
    if not parts:
        raise InputError("There is no report in this request.")
    return tuple(_checked(project, part) for part in parts)


class Came(StrEnum):
    """Whether a report was sent before. ``AGAIN``: it may never have been kept; ``KEPT``: surely it was."""

    NEW = "new"
    AGAIN = "again"
    KEPT = "kept"


def note(project: Project, report: SentReport, author: str) -> Came:
    """Note who sent ``report``, before it is kept.

    Raises :class:`ConflictError` when another report has its UID.
    """
    with project.transaction() as session:
        came = _known(session, report, author)
        if came is not None and not came.is_foretold:
            if came.author != author or came.state not in _NOT_TAKEN:
                return Came.KEPT
            # The server may have stopped between this row and the file, and have given up on it since.
            came.state, came.reason, came.created = ArrivalState.ARRIVED, "", now()
            return Came.AGAIN
        if came is None:
            uids = {"sop_uid": report.sop_uid, "series_uid": report.series_uid, "study_uid": report.study_uid}
            session.add(ReceivedReport(**uids, author=author))
        record(session, "report.received", f"report:{report.sop_uid}", actor=author)
        return Came.NEW if came is None else Came.AGAIN


def take_back(project: Project, report: SentReport, author: str) -> None:
    """``report`` could not be kept: it may be sent again."""
    with project.transaction() as session:
        session.execute(delete(ReceivedReport).where(ReceivedReport.sop_uid == report.sop_uid))
        record(session, "report.not_kept", f"report:{report.sop_uid}", actor=author)


def answer(reports: tuple[SentReport, ...], ours: str) -> Attributes:
    """The answer to a STOW request whose reports are all kept (PS3.18, 10.5.3)."""
    return {
        "00081190": of("UR", f"{ours}/studies/{reports[0].study_uid}"),
        "00081199": of("SQ", *(_reference(report, ours) for report in reports)),
    }


def is_refusal(said: bytes) -> bool:
    """Whether an archive that took a STOW message says that it did not take what was in it."""
    try:
        failed = json.loads(said)[_FAILED]["Value"]
    except (ValueError, LookupError, TypeError):
        return False
    return bool(failed)


def _reference(report: SentReport, ours: str) -> Attributes:
    where = f"{ours}/studies/{report.study_uid}/series/{report.series_uid}/instances/{report.sop_uid}"
    return {
        "00081150": of("UI", report.sop_class),
        "00081155": of("UI", report.sop_uid),
        "00081190": of("UR", where),
    }


def _checked(project: Project, data: bytes) -> SentReport:
    try:
        _require_plain(data)
        ds = dcmread(BytesIO(data))
        sop_class = ds.SOPClassUID
        uids = [str(ds[name].value) for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")]
    except InputError:
        raise
    except Exception:  # pydicom has no common error for what is no DICOM
        raise InputError("This is not a DICOM report, or it was cut short: save it again.") from None
    if sop_class not in _REPORTS:
        raise InputError(
            "Only structured reports of measurements are taken in here: pictures, segmentations and other "
            "objects go to the archive by its own ways."
        )
    if not all(map(_UID.fullmatch, uids)):
        raise InputError("A UID of this report is not valid: save it again.")
    study, series, sop = uids
    with project.session() as session:
        patient = _patient(session, project, ds, study)
        _require_own_uids(session, series, sop)
    return SentReport(study, series, sop, str(sop_class), patient, data)


def _require_plain(data: bytes) -> None:
    """Before anything else is read: pydicom inflates what is deflated to its end, however large that is."""
    stream = BytesIO(data)
    read_preamble(stream, force=False)
    # As dcmread reads it, so that the two cannot take a file for different things.
    if _read_file_meta_info(stream).get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        raise InputError(
            "This report is packed (Deflated Explicit VR): save it as Explicit VR Little Endian."
        )


def _patient(session: Session, project: Project, ds: Dataset, study_uid: str) -> str:
    row = session.scalar(select(models.Study).where(models.Study.uid == study_uid))
    if row is None:
        raise NotFoundError(
            "The study of this report is not in the catalogue: ask the data manager to take it in."
        )
    if not names(row.patient, str(ds.get("PatientID") or ""), project.home):
        raise ConflictError("This report names another patient than its study: it was not stored.")
    return row.patient.key


def _require_own_uids(session: Session, series_uid: str, sop_uid: str) -> None:
    """A report must not stand in for a picture."""
    series = select(models.Series.id).where(models.Series.uid == series_uid)
    instance = select(models.Instance.id).where(models.Instance.sop_uid == sop_uid)
    if session.scalar(series) is not None or session.scalar(instance) is not None:
        raise ConflictError("This report has the UID of a picture: it was not stored. Save it again.")


def _known(session: Session, report: SentReport, author: str) -> ReceivedReport | None:
    """The row of this report if it was sent before, as when the answer to it was lost, or foretold."""
    ours = session.scalar(select(Report.study_id).where(Report.sop_uid == report.sop_uid))
    came = session.scalar(select(ReceivedReport).where(ReceivedReport.sop_uid == report.sop_uid))
    is_other = came is not None and (came.study_uid, came.author) != (report.study_uid, author)
    if came is not None and is_other and came.is_foretold:
        # A later report speaks only for those of its own author on its own study.
        session.delete(came)
        session.flush()
        came = None
    # One that was met in the archive has an author who cannot be told, and may be this very one.
    met = came is not None and came.study_uid == report.study_uid and came.author.startswith(FOREIGN)
    if ours is not None or (came is not None and is_other and not met):
        raise ConflictError(
            "There is another report with this UID already: it was not stored. Save it again."
        )
    return came
