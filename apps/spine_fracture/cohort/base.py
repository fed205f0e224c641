"""What every table is built on: names of constraints, and how typed values are stored."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import JSON, MetaData
from sqlalchemy.orm import DeclarativeBase

from spine_fracture.cohort.columns import (
    Moment,
    PatientBoxColumn,
    PixelBoxColumn,
    UncertaintyColumn,
    word,
)
from spine_fracture.geometry import PatientBox, PixelBox
from spine_fracture.levels import Uncertainty


class Base(DeclarativeBase):
    """Constraints have names, so that a migration can find them on any database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it as a class attribute
        datetime: Moment,
        PatientBox: PatientBoxColumn,
        PixelBox: PixelBoxColumn,
        Uncertainty: UncertaintyColumn,
        list[str]: JSON,
        list[float]: JSON,
        dict[str, object]: JSON,
        # Any of our enumerations: SQLAlchemy looks a subclass up under its base.
        StrEnum: word(StrEnum),
    }
