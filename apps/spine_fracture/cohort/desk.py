"""The tables of the reading desk: which level lies before whom, and which was passed over."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from spine_fracture.cohort.base import Base
from spine_fracture.cohort.columns import now
from spine_fracture.cohort.models import ReadMode, StudyLevel
from spine_fracture.cohort.words import SkipReason as SkipReason
from spine_fracture.cohort.words import WorkList as WorkList


class Lease(Base):
    """A level that lies before one reader in one window.

    It is active while ``ended`` is empty and ``expires`` has not come; rows stay as the record of
    who had which level in which mode.
    """

    __tablename__ = "lease"
    id: Mapped[int] = mapped_column(primary_key=True)
    level_id: Mapped[int] = mapped_column(ForeignKey("level.id"), index=True)
    reader: Mapped[str] = mapped_column(String(64), index=True)
    tab: Mapped[str] = mapped_column(String(64))
    mode: Mapped[ReadMode]
    work_list: Mapped[WorkList]
    reason: Mapped[str] = mapped_column(String(500))
    score: Mapped[float | None]
    taken: Mapped[datetime] = mapped_column(default=now)
    expires: Mapped[datetime]
    ended: Mapped[datetime | None]

    level: Mapped[StudyLevel] = relationship()


class Skip(Base):
    """A level that a reader passed over: it is not served to them again."""

    __tablename__ = "skip"
    __table_args__ = (UniqueConstraint("level_id", "reader"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    level_id: Mapped[int] = mapped_column(ForeignKey("level.id"), index=True)
    reader: Mapped[str] = mapped_column(String(64), index=True)
    reason: Mapped[SkipReason]
    note: Mapped[str] = mapped_column(String(2000), default="")
    created: Mapped[datetime] = mapped_column(default=now)
