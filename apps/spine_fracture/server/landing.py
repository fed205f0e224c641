"""What the landing page shows, by role. Nothing on it says what the models think."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from spine_fracture.active_learning.worklists import left_for
from spine_fracture.cohort.desk import WorkList
from spine_fracture.cohort.models import Read, StudyLevel
from spine_fracture.cohort.overview import CentreOverview, overview
from spine_fracture.cohort.people import Role
from spine_fracture.cohort.protocol import ProtocolConfig
from spine_fracture.cohort.reads import STANDING
from spine_fracture.server.auth import Principal
from spine_fracture.server.reports.desk import Overview, UnmatchedReport, unmatched
from spine_fracture.server.reports.desk import overview as report_overview

_LAST_READS = 8
_LISTED = 20


@dataclass(frozen=True)
class ListCard:
    """A work list and how many levels it has for this reader."""

    name: WorkList
    title: str
    text: str
    left: int


@dataclass(frozen=True)
class OwnRead:
    """One of the reader's last answers."""

    level: str
    diagnosis: str
    created: datetime
    centre: str
    level_id: int


@dataclass(frozen=True)
class Landing:
    """``centres`` are for data managers alone. ``unmatched`` are reports from elsewhere of which not all
    could be taken in: all of them for those who look after reads, else one's own.
    """

    lists: tuple[ListCard, ...]
    reads: tuple[OwnRead, ...]
    reports: Overview
    unmatched: tuple[UnmatchedReport, ...]
    centres: tuple[CentreOverview, ...]


_CARDS = {
    WorkList.ASSISTED: ("Next levels", "The levels the models can learn most from; some are blinded checks."),
    WorkList.BLINDED: ("Blinded", "The same levels, none with what the models think."),
    WorkList.SECOND: ("Second reads", "Levels that another reader has answered; you do not see how."),
    WorkList.ADJUDICATION: ("Adjudication", "Levels whose readers disagree: you decide."),
}


def landing(session: Session, who: Principal, protocol: ProtocolConfig) -> Landing:
    """All that ``who`` sees on the first page."""
    oversees = who.may(Role.DATA_MANAGER, Role.ENGINEER)
    return Landing(
        lists=tuple(_card(session, who, name, protocol) for name in _lists(who, protocol)),
        reads=_own_reads(session, who.id),
        reports=report_overview(session),
        unmatched=unmatched(session, None if oversees or who.may(Role.ADJUDICATOR) else who.id, _LISTED),
        centres=overview(session) if who.may(Role.DATA_MANAGER) else (),
    )


def _lists(who: Principal, protocol: ProtocolConfig) -> Sequence[WorkList]:
    shown = [WorkList.ASSISTED, WorkList.BLINDED] if who.may(Role.READER) else []
    if who.may(Role.READER) and protocol.reads_per_level > 1:
        shown.append(WorkList.SECOND)
    if who.may(Role.ADJUDICATOR):
        shown.append(WorkList.ADJUDICATION)
    return shown


def _card(session: Session, who: Principal, name: WorkList, protocol: ProtocolConfig) -> ListCard:
    return ListCard(name, *_CARDS[name], left_for(session, who.id, name, protocol))


def _own_reads(session: Session, reader: str) -> tuple[OwnRead, ...]:
    rows = session.scalars(
        select(Read)
        .where(Read.reader == reader, Read.state.in_(STANDING))
        .order_by(Read.id.desc())
        .limit(_LAST_READS)
        .options(selectinload(Read.level).selectinload(StudyLevel.study))
    )
    return tuple(
        OwnRead(
            level=read.name_given,
            diagnosis=read.diagnosis.replace("_", " "),
            created=read.created,
            centre=read.level.study.patient.centre.name,
            level_id=read.level_id,
        )
        for read in rows
    )
