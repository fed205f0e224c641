"""Column types: what the database stores plainly is a typed value everywhere else."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import JSON, DateTime, Dialect, Enum
from sqlalchemy.types import TypeDecorator

from spine_fracture.geometry import PatientBox, PixelBox
from spine_fracture.levels import Uncertainty

E = TypeVar("E", bound=StrEnum)


def now() -> datetime:
    """The time in UTC, to the microsecond."""
    return datetime.now(UTC)


def word(kind: type[E]) -> Enum:
    """A column of one of the words of ``kind``, stored as text, so that any database can hold it.

    ``kind`` may be :class:`StrEnum` itself: then it stands for every enumeration of ours.
    """
    return Enum(
        kind,
        native_enum=False,
        length=32,
        values_callable=lambda members: [member.value for member in members],
    )


class Moment(TypeDecorator[datetime]):
    """A time with its zone; stored in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        # SQLite drops the zone: what was stored is UTC.
        return None if value is None else value.replace(tzinfo=UTC)


class PatientBoxColumn(TypeDecorator[PatientBox]):
    """Centre, size and axes, LPS mm."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: PatientBox | None, dialect: Dialect) -> dict[str, Any] | None:
        if value is None:
            return None
        return {
            "centre": value.centre.tolist(),
            "size": value.size.tolist(),
            "axes": value.axes.tolist(),
        }

    def process_result_value(self, value: dict[str, Any] | None, dialect: Dialect) -> PatientBox | None:
        return None if value is None else PatientBox(**value)


class PixelBoxColumn(TypeDecorator[PixelBox]):
    """``[x0, y0, x1, y1]`` in pixels of the slice."""

    impl = JSON(none_as_null=True)
    cache_ok = True

    def process_bind_param(self, value: PixelBox | None, dialect: Dialect) -> list[float] | None:
        return None if value is None else list(value.as_tuple())

    def process_result_value(self, value: list[float] | None, dialect: Dialect) -> PixelBox | None:
        return None if value is None else PixelBox(*value)


class UncertaintyColumn(TypeDecorator[Uncertainty]):
    """The parts by name."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: Uncertainty | None, dialect: Dialect) -> dict[str, float] | None:
        return None if value is None else dataclasses.asdict(value)

    def process_result_value(self, value: dict[str, float] | None, dialect: Dialect) -> Uncertainty | None:
        return None if value is None else Uncertainty(**value)
