"""The outbox: reports are rows before they are files, and files until they are stored.

A row is made in the transaction of the read, so an acknowledged read has its report even if the
server is killed. A row without a path was not written yet and will say what holds when it is; one with
a path is the file that is there, sent until it is accepted. An instance is never changed or deleted:
a later one takes its place.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, aliased

from spine_fracture.cohort.audit import record
from spine_fracture.cohort.columns import now
from spine_fracture.cohort.models import Read, Study, StudyLevel
from spine_fracture.cohort.people import FOREIGN
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.protocol import ProtocolConfig
from spine_fracture.cohort.reports import Report, ReportForm, ReportState
from spine_fracture.dicom.write import uid_from
from spine_fracture.server.reports.authors import Kind, author_of, model_key, reader_key
from spine_fracture.server.reports.content import Said, reported_read, require_open, said_by


@dataclass(frozen=True)
class Assignment:
    """A report to be written and stored; ``replaces`` are UID and file of the instance before it."""

    row_id: int
    study_uid: str
    patient_key: str
    author: str
    form: ReportForm
    series_uid: str
    sop_uid: str
    instance_number: int
    replaces: tuple[str, Path] | None
    tracking: str
    path: Path
    said: tuple[Said, ...]


def queue_reports(session: Session, level: StudyLevel, protocol: ProtocolConfig) -> None:
    """See to it that the reports on ``level`` will say what its reads say now; call it after each change.

    In the transaction of the read, its withdrawal or its adjudication. Whoever read the level gets a
    new instance of their report on the study when the level needs nothing more, or when there is a
    report of theirs that may have said something of it. Nothing is written or sent here.
    """
    session.flush()
    readers = session.scalars(select(Read.reader).where(Read.level_id == level.id).distinct())
    for reader in sorted(readers):
        if not reader.startswith(FOREIGN):
            key = reader_key(reader)
            # Only this level is looked at: a reader waits for the transaction to end.
            if reported_read(level, reader, protocol) or _known(session, level.study, key):
                _queue(session, level.study, key)


def queue_model_report(session: Session, study: Study, detector: str, classifier: str) -> None:
    """A report of what these versions said of ``study``, because somebody asked for it.

    Raises :class:`~spine_fracture.errors.ForbiddenError` for a validation or test patient.
    """
    require_open(study)
    _queue(session, study, model_key(detector, classifier))


def waiting(project: Project, kind: Kind, folder: Path, settle_s: float = 0.0) -> tuple[int, ...]:
    """The rows of authors of ``kind`` that are not stored yet, in the order in which they must be.

    Those whose file lies elsewhere than in ``folder`` wait for another place; those of the last
    ``settle_s`` seconds are left alone.
    """
    query = select(Report.id).where(
        Report.state == ReportState.WAITING,
        Report.author.startswith(f"{kind} ", autoescape=True),
        (Report.path == "") | _lies_in(folder, project),
        Report.created <= now() - timedelta(seconds=settle_s),
    )
    with project.session() as session:
        return tuple(session.scalars(query.order_by(Report.id)))


def retry_failed(project: Project, kind: Kind) -> None:
    """Let what failed wait again: the archive may allow it by now, or a defect be mended.

    Only the last report of a series, which says all that holds; an earlier one would come after it.
    """
    later = aliased(Report)
    overtaken = select(later.id).where(
        later.series_uid == Report.series_uid, later.instance_number > Report.instance_number
    )
    failed = select(Report).where(
        Report.state == ReportState.FAILED,
        Report.author.startswith(f"{kind} ", autoescape=True),
        ~overtaken.exists(),
    )
    with project.transaction() as session:
        for row in session.scalars(failed):
            row.state = ReportState.WAITING


def assign(project: Project, row_id: int, protocol: ProtocolConfig, folder: Path) -> Assignment | None:
    """What row ``row_id`` is to say, fixed from here on; None when there is nothing to say or to store.

    ``folder`` is where its file will lie; what was stored elsewhere is not what it takes the place of.
    """
    with project.transaction() as session:
        row = session.get(Report, row_id, with_for_update=True)
        if row is None or row.state is not ReportState.WAITING:
            return None
        said = said_by(row.study, author_of(row.author), row.author, protocol)
        before = _before(session, row, _lies_in(folder, project))
        if not row.path:
            if not said and before is None:
                session.delete(row)
                return None
            path = folder / row.study.uid / f"{row.sop_uid}.dcm"
            row.path = str(path.relative_to(project.home))
        return Assignment(
            row_id=row.id,
            study_uid=row.study.uid,
            patient_key=row.study.patient.key,
            author=row.author,
            form=row.form,
            series_uid=row.series_uid,
            sop_uid=row.sop_uid,
            instance_number=row.instance_number,
            replaces=(before.sop_uid, project.home / before.path) if before else None,
            tracking=_series(session, row.study, row.author, ReportForm.VIEWER) or row.series_uid,
            path=project.home / row.path,
            said=said,
        )


def drop(project: Project, row_id: int) -> None:
    """The report would say what the one before it says: it is not stored."""
    with project.transaction() as session:
        row = session.get(Report, row_id, with_for_update=True)
        if row is not None and row.state is ReportState.WAITING:
            session.delete(row)


def note_stored(project: Project, row_id: int) -> None:
    with project.transaction() as session:
        row = session.get_one(Report, row_id)
        row.state, row.stored, row.last_error = ReportState.STORED, now(), ""
        row.attempts += 1
        record(session, "report.stored", f"report:{row.sop_uid}", details={"author": row.author})


def note_trouble(project: Project, row_id: int, why: str, *, for_good: bool) -> None:
    """An attempt that came to nothing; ``for_good`` when trying again cannot help."""
    with project.transaction() as session:
        row = session.get_one(Report, row_id)
        row.attempts += 1
        row.last_error = why[:300]
        if for_good:
            row.state = ReportState.FAILED
            record(session, "report.failed", f"report:{row.sop_uid}", details={"author": row.author})


def _queue(session: Session, study: Study, key: str) -> None:
    for form in ReportForm:
        rows = _rows(session, study, key, form)
        if any(row.state is ReportState.WAITING and not row.path for row in rows):
            continue  # not written yet: it will say what holds then
        session.add(
            Report(
                study=study,
                author=key,
                form=form,
                series_uid=rows[-1].series_uid if rows else uid_from("report series", uuid.uuid4()),
                sop_uid=uid_from("report", uuid.uuid4()),
                instance_number=rows[-1].instance_number + 1 if rows else 1,
            )
        )
    session.flush()


def _rows(session: Session, study: Study, key: str, form: ReportForm) -> list[Report]:
    """The reports of one series, oldest first, held against the one who is about to write one of them."""
    query = select(Report).where(Report.study_id == study.id, Report.author == key, Report.form == form)
    return list(session.scalars(query.order_by(Report.instance_number).with_for_update()))


def _known(session: Session, study: Study, key: str) -> bool:
    query = select(Report.id).where(Report.study_id == study.id, Report.author == key)
    return session.scalar(query.limit(1)) is not None


def _before(session: Session, row: Report, there: ColumnElement[bool]) -> Report | None:
    """The instance that ``row`` takes the place of: the last one that was, or will be, accepted there."""
    query = select(Report).where(
        Report.series_uid == row.series_uid,
        Report.instance_number < row.instance_number,
        Report.state != ReportState.FAILED,
        there,
    )
    return session.scalar(query.order_by(Report.instance_number.desc()).limit(1))


def _lies_in(folder: Path, project: Project) -> ColumnElement[bool]:
    return Report.path.startswith(f"{folder.relative_to(project.home)}/", autoescape=True)


def _series(session: Session, study: Study, key: str, form: ReportForm) -> str | None:
    return next((row.series_uid for row in _rows(session, study, key, form)), None)
