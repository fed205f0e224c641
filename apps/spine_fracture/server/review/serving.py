"""Serving levels: the next one of a list, one that the reader opens, and holding on to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.orm import Session

from spine_fracture.active_learning.queue import BLINDED_REASON, QueueItem
from spine_fracture.active_learning.strategies import load_strategy
from spine_fracture.active_learning.worklists import next_items
from spine_fracture.cohort.desk import Lease, WorkList
from spine_fracture.cohort.leases import Seat, end_all, held, renew
from spine_fracture.cohort.people import Role
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.protocol import ProtocolConfig
from spine_fracture.cohort.shown import note_level_shown
from spine_fracture.server.auth import Principal
from spine_fracture.server.review.answers import (
    Ahead,
    Done,
    Progress,
    Task,
    Upcoming,
)
from spine_fracture.server.review.forms import NextForm, UpcomingForm
from spine_fracture.server.review.opening import already_there, put_before, taken_back
from spine_fracture.server.review.progress import progress_of
from spine_fracture.server.review.rights import is_blinded, may_use
from spine_fracture.server.review.screen import Screen
from spine_fracture.server.review.task import (
    Around,
    build_task,
    load_study,
    opinion_of,
    read_view,
    series_to_hang,
)

NOTHING_LEFT = {
    WorkList.ASSISTED: "Nothing is left to read on this list.",
    WorkList.BLINDED: "Nothing is left to read on this list.",
    WorkList.SECOND: "No level waits for a second read of yours.",
    WorkList.ADJUDICATION: "No level waits for a decision.",
}


class Serving:
    """Gives each reader the next level and keeps it for them. Safe to use from several threads.

    ``read_more`` lets the models read one more study and says whether there was one.
    """

    def __init__(
        self,
        project: Project,
        protocol: ProtocolConfig,
        screen: Screen,
        read_more: Callable[[], bool],
    ) -> None:
        self._project = project
        self._protocol = protocol
        self._screen = screen
        self._read_more = read_more

    def next(self, who: Principal, ask: NextForm) -> Task | Done:
        """What lies before this window already, or the next level; it is kept for the window."""
        may_use(who, ask.work_list)
        seat = Seat(who.id, ask.tab)
        with self._project.transaction() as session:
            lease = already_there(session, seat, ask)
            if lease is not None:
                renew(session, lease.level_id, seat, self._protocol.lease_seconds)
                return self.task(session, lease)
        found = put_before(self._project, seat, ask, self._protocol)
        while not found and ask.work_list in (WorkList.ASSISTED, WorkList.BLINDED) and self._read_more():
            found = put_before(self._project, seat, ask, self._protocol)
        with self._project.transaction() as session:
            lease = held(session, seat) if found else None
            if lease is not None:
                return self.task(session, lease)
            end_all(session, seat)
            return Done(
                message=NOTHING_LEFT[ask.work_list],
                progress=progress_of(session, seat, ask.work_list, self._protocol),
            )

    def task(self, session: Session, lease: Lease) -> Task:
        """What the holder of a lease is to see, with the answer that they took back to have it again; that
        opinions were shown goes on the record.
        """
        seat = Seat(lease.reader, lease.tab)
        decides = lease.work_list is WorkList.ADJUDICATION
        helped = not decides and not is_blinded(session, lease)
        opinion = opinion_of(session, lease.level_id) if helped else None
        if opinion is not None or decides:  # who decides sees what the readers said
            note_level_shown(session, lease.level_id, lease.reader)
        progress = progress_of(session, seat, lease.work_list, self._protocol)
        why = lease.reason if helped or decides else BLINDED_REASON
        again = taken_back(session, lease)
        draft = read_view(again, self._screen) if again else None
        around = Around(self._protocol.lease_seconds, progress, why, draft)
        return build_task(session, lease, around, opinion, self._screen)

    def upcoming(self, who: Principal, ask: UpcomingForm) -> Upcoming:
        """What will come after the level being read, for its pictures alone. Nothing is kept."""
        may_use(who, ask.work_list)
        strategy = load_strategy(self._protocol.strategy)
        with self._project.session() as session:
            found = next_items(session, who.id, ask.work_list, self._protocol, strategy, ask.count)
            return Upcoming(items=tuple(_ahead(session, item, self._screen) for item in found))

    def renew(self, who: Principal, level_id: int, tab: str) -> datetime:
        """Hold on to a level; raises :class:`ConflictError` when it lies before somebody else."""
        who.needs(Role.READER, Role.ADJUDICATOR)
        with self._project.transaction() as session:
            return renew(session, level_id, Seat(who.id, tab), self._protocol.lease_seconds).expires

    def release(self, who: Principal, tab: str) -> None:
        """The window was closed."""
        who.needs(Role.READER, Role.ADJUDICATOR)
        with self._project.transaction() as session:
            end_all(session, Seat(who.id, tab))

    def progress(self, who: Principal, work_list: WorkList, tab: str) -> Progress:
        may_use(who, work_list)
        with self._project.session() as session:
            return progress_of(session, Seat(who.id, tab), work_list, self._protocol)


def _ahead(session: Session, item: QueueItem, screen: Screen) -> Ahead:
    study = load_study(session, item.study_uid)
    rows = {series.uid: series for series in study.series}
    return Ahead(
        study=item.study_uid,
        series=tuple(series.uid for series in series_to_hang(study, screen) if series.role),
        views=tuple(
            view
            for p in item.series
            if p.role is not None
            for view in screen.placed(rows[p.series_uid], p.slice_index, p.sop_uid, p.box)
        ),
    )
