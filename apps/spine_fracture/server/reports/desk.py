"""The report desk of a running server: what goes out, what comes in, and what people should know of both."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from spine_fracture.cohort.project import Project
from spine_fracture.cohort.protocol import ProtocolConfig
from spine_fracture.cohort.reports import ArrivalState, FeedPosition, ReceivedReport, Report, ReportState
from spine_fracture.dicom.sr.reading import read_report
from spine_fracture.errors import ConflictError, NotFoundError, RemoteError, SpineFractureError
from spine_fracture.server.companion import Companion
from spine_fracture.server.reports import arrivals
from spine_fracture.server.reports.arrivals import ArchiveShelf, FolderShelf, Shelf
from spine_fracture.server.reports.delivery import delivery_for
from spine_fracture.server.reports.feed import Feed, FeedSilentError
from spine_fracture.server.reports.intake import Intake
from spine_fracture.server.reports.later import LATER
from spine_fracture.server.reports.sending import LONGEST_WAIT_S, Sender
from spine_fracture.server.sources import ArchiveSource, Source

_log = logging.getLogger(__name__)
LOOK_EVERY_S = 2.0
_DEFECT = "It could not be read, which is a defect of ours: tell the engineers."
_NEVER_CAME = "It was announced and never came: store it again."
#: So often an instance is asked for that an archive with an answer to all else cannot give: for minutes, as
#: the waits between the tries grow.
MOST_TRIES = 8
_NOT_GIVEN = (
    "The archive did not give it out, however often it was asked for: tell whoever runs the archive, and "
    "store it again."
)


@dataclass(frozen=True)
class UnmatchedReport:
    """A report of somebody else of which not everything could be taken in.

    ``reason`` is about the whole of it, ``findings`` about those that were left out.
    """

    id: int
    study_uid: str
    author: str
    created: datetime
    reason: str
    findings: tuple[str, ...]


@dataclass(frozen=True)
class Overview:
    """Reports on their way out: ``waiting``, of which ``delayed`` were tried in vain and will be tried again,
    and ``failed`` for good. ``trouble`` says why the first of those was not stored.
    """

    waiting: int
    delayed: int
    failed: int
    trouble: str


def overview(session: Session) -> Overview:
    """What waits, and what was refused for good."""
    states = session.execute(select(Report.state, func.count()).group_by(Report.state))
    counted = {row[0]: row[1] for row in states}
    trouble = session.scalar(
        select(Report.last_error)
        .where(Report.state != ReportState.STORED, Report.last_error != "")
        .order_by(Report.id)
        .limit(1)
    )
    tried = select(func.count()).where(Report.state == ReportState.WAITING, Report.attempts > 0)
    return Overview(
        waiting=counted.get(ReportState.WAITING, 0),
        delayed=session.scalar(tried) or 0,
        failed=counted.get(ReportState.FAILED, 0),
        trouble=trouble or "",
    )


def unmatched(session: Session, author: str | None = None, most: int = 50) -> tuple[UnmatchedReport, ...]:
    """The latest reports of others (of one ``author`` if given) of which not everything was taken in."""
    query = select(ReceivedReport).where(ReceivedReport.state != ArrivalState.OURS)
    if author is not None:
        query = query.where(ReceivedReport.author == author)
    rows = session.scalars(query.order_by(ReceivedReport.id.desc()).execution_options(yield_per=100))
    # A report that was taken whole keeps a word on it, such as that a later one took its place.
    told = (row for row in rows if row.unmatched or (row.reason and row.state is not ArrivalState.TAKEN))
    return tuple(
        UnmatchedReport(row.id, row.study_uid, row.author, row.created, row.reason, tuple(row.unmatched))
        for row in islice(told, most)
    )


@dataclass(eq=False)
class Receiver:
    """Looks for reports that came in, and takes them in."""

    project: Project
    intake: Intake
    shelf: Shelf
    feed: Feed | None
    look_every_s: float = LOOK_EVERY_S
    _tries: Counter[str] = field(default_factory=Counter)
    _companion: Companion = field(default_factory=lambda: Companion("reports in"))

    def start(self) -> None:
        self._companion.start(self._run)

    def close(self) -> None:
        self._companion.close()

    def look(self) -> None:
        """Take in what came. Raises :class:`RemoteError` when the archive does not answer."""
        try:
            done = self.feed is None
            while not done and not self._companion.closing.is_set():
                done = self._follow()
        finally:
            # What readers stored through us is known without the feed.
            self._look_again()

    def _look_again(self) -> None:
        """Take in what came before and was left for later.

        One report that cannot be fetched now holds up those after it on its own study, which may take its
        place, and no others.
        """
        with self.project.session() as session:
            rows = arrivals.to_look_at(session)
        held: dict[str, RemoteError] = {}
        for row in rows:
            if row.study_uid in held or self._companion.closing.is_set():
                continue
            try:
                self._take(row)
            except RemoteError as error:
                held[row.study_uid] = error
        if held:
            raise next(iter(held.values()))

    def _follow(self) -> bool:
        """One page of the feed; whether it was the last one for now."""
        assert self.feed is not None
        with self.project.session() as session:
            known = session.get(FeedPosition, self.feed.name)
            position = known.value if known else None
        page = self.feed.since(position)
        for instance in page.instances:
            data = self._fetched(self.feed, instance)
            if data is not None:
                self._meet(instance, data)
        with self.project.transaction() as session:
            session.merge(FeedPosition(name=self.feed.name, value=page.last))
        self._tries.clear()
        return page.done

    def _fetched(self, feed: Feed, instance: str) -> bytes | None:
        """The report of an instance; None for one that is none, and for one that the archive cannot give.

        The latter is listed: it must not hold up those after it.
        """
        try:
            return feed.report(instance)
        except FeedSilentError:
            self._tries[instance] += 1
            if self._tries[instance] < MOST_TRIES:
                raise
        _log.warning("The archive could not give an instance %d times: it is passed over.", MOST_TRIES)
        self._list(instance, b"", _NOT_GIVEN)
        return None

    def _meet(self, instance: str, data: bytes) -> None:
        """One report of the feed. What cannot be read is listed: it must not hold up those after it."""
        try:
            found = read_report(data)
            with self.project.transaction() as session:
                row = arrivals.note_arrival(session, found, self.project.home)
                row_id = row.id if row else None
        except (*LATER, ConflictError):  # another process noted it at this moment
            raise
        except Exception as error:
            self._list(instance, data, _why(error))
            return
        if row_id is not None:
            with self._giving_up(row_id):
                self.intake.take(row_id, data)

    def _list(self, instance: str, data: bytes, why: str) -> None:
        with self.project.transaction() as session:
            row_id = arrivals.note_unreadable(session, data, instance)
        if row_id is not None:
            self.intake.give_up(row_id, why)

    def _take(self, row: ReceivedReport) -> None:
        with self._giving_up(row.id):
            try:
                data = self.shelf.fetch(row)
            except NotFoundError:
                if arrivals.waited_too_long(row):
                    self.intake.give_up(row.id, _NEVER_CAME)
                return
            self.intake.take(row.id, data)

    @contextmanager
    def _giving_up(self, row_id: int) -> Iterator[None]:
        """A report that cannot be taken in now or later is given up on, and those after it are looked at."""
        try:
            yield
        except LATER:
            raise
        except Exception as error:
            self.intake.give_up(row_id, _why(error))

    def _run(self) -> None:
        wait = self.look_every_s
        while not self._companion.closing.wait(wait):
            try:
                self.look()
                wait = self.look_every_s
            except SpineFractureError as error:
                wait = min(2 * wait, LONGEST_WAIT_S)
                _log.warning("Reports of others are looked for again in %.0f s: %s", wait, error)
            except Exception as error:
                wait = min(2 * wait, LONGEST_WAIT_S)
                _log.error("Reports of others cannot be taken in: %s", type(error).__name__)
        if self.feed is not None:
            self.feed.close()


def _why(error: Exception) -> str:
    if isinstance(error, SpineFractureError):
        return str(error)
    _log.error("A report of somebody else cannot be taken in: %s", type(error).__name__)
    return _DEFECT


@dataclass(frozen=True, eq=False)
class ReportDesk:
    """Both directions of one server."""

    sender: Sender
    receiver: Receiver

    @classmethod
    def of(cls, project: Project, source: Source, protocol: ProtocolConfig) -> ReportDesk:
        """Reports go to, and come from, where the pictures are: the archive, or the project's folder."""
        delivery = delivery_for(project, source)
        shelf: Shelf = FolderShelf(delivery.folder)
        feed = None
        if isinstance(source, ArchiveSource):
            shelf, feed = ArchiveShelf(source.archive), Feed.of(source.archive)
        return cls(
            Sender(project, protocol, delivery), Receiver(project, Intake(project, protocol), shelf, feed)
        )

    def start(self) -> None:
        """Work behind the requests until :meth:`close`."""
        self.sender.start()
        self.receiver.start()

    def close(self) -> None:
        self.sender.close()
        self.receiver.close()
