"""The tables of who may sign in, and what each may do."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from spine_fracture.cohort.base import Base
from spine_fracture.cohort.columns import now
from spine_fracture.cohort.words import Role as Role

#: Readers whose reads came in by a report, which is in the archive already: nobody signs in as one.
FOREIGN = "sr-"


class User(Base):
    """Somebody who signs in. ``name`` is what their reads are kept under; a pseudonym will do."""

    __tablename__ = "user"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    role_words: Mapped[list[str]] = mapped_column("roles")
    created: Mapped[datetime] = mapped_column(default=now)
    disabled: Mapped[bool] = mapped_column(default=False)

    @property
    def roles(self) -> frozenset[Role]:
        return frozenset(Role(word) for word in self.role_words)


class ServiceToken(Base):
    """A program that may speak for readers. Of the token itself only the SHA-256 is kept."""

    __tablename__ = "service_token"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    created: Mapped[datetime] = mapped_column(default=now)
