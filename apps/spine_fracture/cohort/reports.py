"""The tables of structured reports: those on their way out, those that came in, and how far we looked."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from spine_fracture.cohort.base import Base
from spine_fracture.cohort.columns import now
from spine_fracture.cohort.models import Study

#: Why nothing is taken out of a report that comes after the one that took its place.
OVERTAKEN = "A later report took its place before it came."


class ReportForm(StrEnum):
    """``VIEWER`` is what OHIF draws again; ``STANDARD`` is what other sites and tools read."""

    VIEWER = "viewer"
    STANDARD = "standard"


class ReportState(StrEnum):
    """``FAILED``: refused for good; tried once more when a server starts."""

    WAITING = "waiting"
    STORED = "stored"
    FAILED = "failed"


class ArrivalState(StrEnum):
    """``OURS``: a report that this server wrote itself and met again in the archive."""

    ARRIVED = "arrived"
    TAKEN = "taken"
    UNMATCHED = "unmatched"
    OURS = "ours"


class Report(Base):
    """A structured report of a study on its way to the archive; ``path`` is relative to the project."""

    __tablename__ = "report"
    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id"), index=True)
    author: Mapped[str] = mapped_column(String(200))
    form: Mapped[ReportForm]
    series_uid: Mapped[str] = mapped_column(String(64))
    sop_uid: Mapped[str] = mapped_column(String(64), unique=True)
    instance_number: Mapped[int]
    state: Mapped[ReportState] = mapped_column(default=ReportState.WAITING, index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str] = mapped_column(String(300), default="")
    path: Mapped[str] = mapped_column(String(1000), default="")
    created: Mapped[datetime] = mapped_column(default=now)
    stored: Mapped[datetime | None]

    study: Mapped[Study] = relationship()


class ReceivedReport(Base):
    """A report that came from elsewhere. ``unmatched`` says what of it could not be taken in, and why."""

    __tablename__ = "received_report"
    id: Mapped[int] = mapped_column(primary_key=True)
    sop_uid: Mapped[str] = mapped_column(String(64), unique=True)
    series_uid: Mapped[str] = mapped_column(String(64))
    study_uid: Mapped[str] = mapped_column(String(64), index=True)
    author: Mapped[str] = mapped_column(String(200))
    state: Mapped[ArrivalState] = mapped_column(default=ArrivalState.ARRIVED, index=True)
    reason: Mapped[str] = mapped_column(String(500), default="")
    unmatched: Mapped[list[str]] = mapped_column(default=list)
    created: Mapped[datetime] = mapped_column(default=now)

    @property
    def is_foretold(self) -> bool:
        """Whether only a later report has come yet, which names this one as its predecessor."""
        return self.state is ArrivalState.TAKEN and self.reason == OVERTAKEN


class FeedPosition(Base):
    """The last change of a feed that was looked at, e.g. of the archive's."""

    __tablename__ = "feed_position"
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[int]
