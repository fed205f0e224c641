"""Answers: reads, decisions and skips as they come in, and taking the last one back."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from spine_fracture.cohort.adjudication import adjudicate
from spine_fracture.cohort.desk import Lease, WorkList
from spine_fracture.cohort.leases import Seat, active, held, latest, read_mode, release
from spine_fracture.cohort.levels import find_level
from spine_fracture.cohort.models import Read, StudyLevel
from spine_fracture.cohort.people import Role
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.protocol import Need, ProtocolConfig, need
from spine_fracture.cohort.reads import (
    STANDING,
    ReadSubmission,
    as_answered,
    standing_reads,
    submit_read,
    withdraw_read,
)
from spine_fracture.cohort.skips import skip_level
from spine_fracture.errors import NotFoundError
from spine_fracture.server.auth import Principal
from spine_fracture.server.reports.outbox import queue_reports
from spine_fracture.server.review.answers import Skipped, Submitted, Task
from spine_fracture.server.review.forms import ReadForm, SkipForm, UndoForm
from spine_fracture.server.review.opening import take_chosen, taken_back
from spine_fracture.server.review.progress import progress_of
from spine_fracture.server.review.screen import Screen
from spine_fracture.server.review.serving import Serving
from spine_fracture.server.review.task import read_view

_FINISHED_MEANWHILE = (
    "Somebody else had finished this level meanwhile: your answer is kept as a further independent read."
)
_REMOVED_MEANWHILE = "This level was removed from the study meanwhile: your answer is kept all the same."
_TAKEN_OVER = "Your time with this level had run out, and it lies before somebody else: both reads are kept."


class Answering:
    """Takes what readers answer. Nothing that was typed is refused because a lease has ended."""

    def __init__(self, project: Project, protocol: ProtocolConfig, screen: Screen, serving: Serving) -> None:
        self._project = project
        self._protocol = protocol
        self._screen = screen
        self._serving = serving

    def submit(self, who: Principal, form: ReadForm) -> Submitted:
        """Store a read, or an adjudicator's decision. Sending the same token again changes nothing.

        Who was served the level to decide on it decides; anybody else reads. The mode is what the
        server knows of the reader. Raises :class:`ConflictError` when the level was changed since the
        reader saw it, and as :func:`submit_read` does.
        """
        seat = Seat(who.id, form.tab)
        with self._project.transaction() as session:
            level = find_level(session, form.level_id)
            session.refresh(level, with_for_update=True)
            lease = latest(session, level.id, who.id)
            decides = lease is not None and lease.work_list is WorkList.ADJUDICATION
            who.needs(Role.ADJUDICATOR if decides else Role.READER)
            known = _known(session, who.id, form.token)
            notes = () if known else _notes(session, level, seat, self._protocol)
            submission = _submission(session, form, level, who.id, self._screen)
            read = adjudicate(session, submission) if decides else submit_read(session, submission)
            queue_reports(session, level, self._protocol)
            release(session, level.id, seat)
            work_list = lease.work_list if lease else WorkList.ASSISTED
            progress = progress_of(session, seat, work_list, self._protocol)
            return Submitted(read=read_view(read, self._screen), progress=progress, notes=notes)

    def undo(self, who: Principal, form: UndoForm) -> Task:
        """Take back the last answer of this window; its level lies before the window again, as it was.

        Where that was done already, and only its answer never came to the window, it is told again.
        Raises :class:`NotFoundError` when there is none and :class:`ConflictError` when it can no longer
        be taken back, or when the level lies before somebody else by now.
        """
        who.needs(Role.READER, Role.ADJUDICATOR)
        seat = Seat(who.id, form.tab)
        with self._project.transaction() as session:
            before = held(session, seat)
            if before is not None and before.level_id != form.level_id and taken_back(session, before):
                return self._serving.task(session, before)
            read, lease = _last_answer(session, seat)
            withdraw_read(session, read.id, who.id)
            queue_reports(session, read.level, self._protocol)
            again = take_chosen(session, read.level, seat, lease.work_list, self._protocol)
            again.mode, again.reason, again.score = lease.mode, lease.reason, lease.score
            return self._serving.task(session, again)

    def skip(self, who: Principal, form: SkipForm) -> Skipped:
        """Pass a level over; it is not served to this reader again."""
        who.needs(Role.READER, Role.ADJUDICATOR)
        seat = Seat(who.id, form.tab)
        with self._project.transaction() as session:
            lease = latest(session, form.level_id, who.id)
            skip_level(session, form.level_id, who.id, form.reason, form.note)
            release(session, form.level_id, seat)
            work_list = lease.work_list if lease else WorkList.ASSISTED
            return Skipped(progress=progress_of(session, seat, work_list, self._protocol))


def _known(session: Session, reader: str, token: str) -> bool:
    return session.scalar(select(Read.id).where(Read.reader == reader, Read.token == token)) is not None


def _notes(session: Session, level: StudyLevel, seat: Seat, protocol: ProtocolConfig) -> tuple[str, ...]:
    """What the reader should know of what happened while they read."""
    if not level.current:
        return (_REMOVED_MEANWHILE,)
    lease = latest(session, level.id, seat.reader)
    others = [read for read in standing_reads(level) if read.reader != seat.reader]
    since = lease is not None and any(read.created > lease.taken for read in others)
    if since and need(level, protocol) is not Need.SECOND_READ:
        return (_FINISHED_MEANWHILE,)
    elsewhere = select(Lease.id).where(
        Lease.level_id == level.id, active(), (Lease.reader != seat.reader) | (Lease.tab != seat.tab)
    )
    return () if session.scalar(elsewhere.limit(1)) is None else (_TAKEN_OVER,)


def _submission(
    session: Session, form: ReadForm, level: StudyLevel, reader: str, screen: Screen
) -> ReadSubmission:
    return ReadSubmission(
        level_id=level.id,
        reader=reader,
        mode=read_mode(session, level, reader),
        diagnosis=form.diagnosis,
        features=form.features,
        confidence=form.confidence,
        basis=form.basis,
        seconds=form.seconds,
        token=form.token,
        note=form.note,
        name_given=form.name,
        box=screen.drawn(level.study, form.box) if form.box else None,
        level_version=form.level_version if level.current else None,
    )


def _last_answer(session: Session, seat: Seat) -> tuple[Read, Lease]:
    """The last standing read that this reader gave in this window, and the lease it was given under.

    Where names were moved since, the read that took its place then.
    """
    query = (
        select(Read, Lease)
        .join(Lease, (Lease.level_id == Read.level_id) & (Lease.reader == Read.reader))
        .where(
            Read.reader == seat.reader,
            Read.state.in_(STANDING),
            Lease.tab == seat.tab,
            Lease.taken <= Read.created,
        )
        .order_by(Lease.id)
    )
    # Of several leases of one level the last counts.
    found = {read.id: (read, lease) for read, lease in session.execute(query)}
    if not found:
        raise NotFoundError("There is nothing to take back in this window.")
    return max(found.values(), key=lambda answer: as_answered(session, answer[0]).id)
