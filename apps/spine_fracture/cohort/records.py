"""The tables of what a project keeps beside its studies: models, frozen cohorts, and who did what."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from spine_fracture.cohort.base import Base
from spine_fracture.cohort.columns import now
from spine_fracture.cohort.states import ModelStatus


class ModelVersion(Base):
    __tablename__ = "model_version"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    version: Mapped[str] = mapped_column(String(100), unique=True)
    sha256: Mapped[str] = mapped_column(String(64))
    task: Mapped[str] = mapped_column(String(32))
    status: Mapped[ModelStatus] = mapped_column(default=ModelStatus.CANDIDATE)
    run_id: Mapped[str | None] = mapped_column(String(64))
    metrics: Mapped[dict[str, object]] = mapped_column(default=dict)
    created: Mapped[datetime] = mapped_column(default=now)


class Snapshot(Base):
    """A frozen cohort: the file ``<sha256>.json`` in the project's snapshots folder holds it."""

    __tablename__ = "snapshot"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    sha256: Mapped[str] = mapped_column(String(64))
    created: Mapped[datetime] = mapped_column(default=now)


class AuditEvent(Base):
    """Who did what to which row, when, with which code and model. Rows are only ever added."""

    __tablename__ = "audit_event"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(default=now)
    actor: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(64), index=True)
    subject: Mapped[str] = mapped_column(String(100), index=True)
    code_version: Mapped[str] = mapped_column(String(64))
    model_version: Mapped[str | None] = mapped_column(String(200))
    details: Mapped[dict[str, object]] = mapped_column(default=dict)
