"""The protocol: how many independent reads a level needs, and what it needs next."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Literal

from pydantic import Field
from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import aliased

from spine_fracture.cohort.models import Read, StudyLevel
from spine_fracture.cohort.reads import REFERENCE, STANDING, counts, standing_reads
from spine_fracture.configuration import CONFIGS, Config, load_config
from spine_fracture.errors import NotFoundError


class ProtocolConfig(Config):
    """``strategy`` orders the levels; a level lies before a reader for ``lease_seconds`` at a time."""

    name: str
    strategy: str = "uncertainty"
    reads_per_level: Literal[1, 2] = 1
    lease_seconds: int = Field(900, ge=10, le=86_400)


class Need(StrEnum):
    """What a level needs next."""

    FIRST_READ = "first_read"
    SECOND_READ = "second_read"
    ADJUDICATION = "adjudication"
    NONE = "none"


def protocol_names() -> tuple[str, ...]:
    """The protocols that exist: the YAML files of ``configs/protocols``."""
    return tuple(sorted(path.stem for path in (CONFIGS / "protocols").glob("*.yaml")))


def load_protocol(name: str) -> ProtocolConfig:
    """A protocol by its name, never by a path."""
    if name not in protocol_names():
        raise NotFoundError(f"There is no protocol {name!r}: use {', '.join(protocol_names())}.")
    return load_config(f"protocols/{name}", ProtocolConfig)


def need(level: StudyLevel, protocol: ProtocolConfig) -> Need:
    """What ``level`` needs next; nothing once a reader removed it or it has its reference read.

    Of a validation or test patient only reads that may judge models count as read.
    """
    standing = standing_reads(level)
    if was_removed(level) or any(read.state in REFERENCE for read in standing):
        return Need.NONE
    if disagree(standing):
        return Need.ADJUDICATION
    readers = {read.reader for read in standing if counts(read)}
    if len(readers) >= protocol.reads_per_level:
        return Need.NONE
    return Need.SECOND_READ if readers else Need.FIRST_READ


def was_removed(level: StudyLevel) -> bool:
    """Whether a reader took ``level`` out of its study: its reads are kept and count no more.

    A level that only the models find no longer keeps what people said of it.
    """
    return level.edited_by is not None and not level.current


def removed() -> ColumnElement[bool]:
    """For queries over :class:`StudyLevel`: :func:`was_removed`."""
    return StudyLevel.edited_by.is_not(None) & StudyLevel.current.is_(False)


def disagree(reads: Sequence[Read]) -> bool:
    """Whether two readers gave different diagnoses or different names."""
    return len({read.reader for read in reads}) > 1 and len({(r.diagnosis, r.name_given) for r in reads}) > 1


def has_reference() -> ColumnElement[bool]:
    """For queries over :class:`StudyLevel`: whether the level was adjudicated."""
    reference = select(Read.id).where(Read.level_id == StudyLevel.id, Read.state.in_(REFERENCE))
    return reference.correlate(StudyLevel).exists()


def in_dispute() -> ColumnElement[bool]:
    """For queries over :class:`StudyLevel`: :func:`disagree` of its standing reads."""
    one, other = aliased(Read), aliased(Read)
    pair = select(one.id).where(
        one.level_id == StudyLevel.id,
        other.level_id == StudyLevel.id,
        one.state.in_(STANDING),
        other.state.in_(STANDING),
        one.reader < other.reader,
        or_(one.diagnosis != other.diagnosis, one.name_given != other.name_given),
    )
    return pair.correlate(StudyLevel).exists()
