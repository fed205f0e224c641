"""How far a reader is, and what is still on its way to the archive."""

from __future__ import annotations

from sqlalchemy import distinct, func, select
from sqlalchemy.orm import Session

from spine_fracture.active_learning.worklists import left_for
from spine_fracture.cohort.desk import Lease, WorkList
from spine_fracture.cohort.leases import Seat
from spine_fracture.cohort.models import Read
from spine_fracture.cohort.protocol import ProtocolConfig
from spine_fracture.cohort.reads import STANDING
from spine_fracture.cohort.reports import Report, ReportState
from spine_fracture.server.review.answers import Progress


def progress_of(session: Session, seat: Seat, work_list: WorkList, protocol: ProtocolConfig) -> Progress:
    mine = select(func.count(distinct(Read.level_id))).where(
        Read.reader == seat.reader, Read.state.in_(STANDING)
    )
    served = (Lease.level_id == Read.level_id) & (Lease.reader == Read.reader) & (Lease.taken <= Read.created)
    here = mine.join(Lease, served).where(Lease.tab == seat.tab)
    return Progress(
        session=session.scalar(here) or 0,
        mine=session.scalar(mine) or 0,
        left=left_for(session, seat.reader, work_list, protocol),
        waiting_reports=waiting_reports(session),
    )


def waiting_reports(session: Session) -> int:
    """Reports that are yet to reach the archive."""
    waiting = select(func.count(Report.id)).where(Report.state == ReportState.WAITING)
    return session.scalar(waiting) or 0
