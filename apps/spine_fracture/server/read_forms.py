"""Our own read JSON, as programs send it to ``/datastore/label``."""

from __future__ import annotations

import uuid

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import from_json

from spine_fracture.anatomy import Basis, Diagnosis, Feature, Level
from spine_fracture.errors import InputError

UNSTATED_CONFIDENCE = 3


class BoxForm(BaseModel):
    """The box as the reader left it: ``box`` is x0, y0, x1, y1 in pixels of slice ``slice``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    series: str
    slice: int
    box: tuple[float, float, float, float]


class ReadForm(BaseModel):
    """Our read JSON. The level is named, or given by ``level_id`` when it came from the queue."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: Level | None = None
    level_id: int | None = None
    level_version: int | None = None
    diagnosis: Diagnosis
    features: frozenset[Feature] = frozenset()
    confidence: int = UNSTATED_CONFIDENCE
    seconds: float = 0.0
    basis: Basis = Basis.IMAGING
    note: str = ""
    token: str = Field(default_factory=lambda: uuid.uuid4().hex)
    box: BoxForm | None = None

    @field_validator("level", mode="before")
    @classmethod
    def _level(cls, value: object) -> object:
        return Level.parse(value) if isinstance(value, str) else value

    @field_validator("diagnosis", mode="before")
    @classmethod
    def _diagnosis(cls, value: object) -> object:
        return Diagnosis.parse(value) if isinstance(value, str) else value

    @field_validator("features", mode="before")
    @classmethod
    def _features(cls, value: object) -> object:
        return (
            [Feature.parse(v) if isinstance(v, str) else v for v in value]
            if isinstance(value, list)
            else value
        )


class ReadSheet(BaseModel):
    """Several reads of one study, sent together: all are kept or none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reads: tuple[ReadForm, ...] = Field(min_length=1)


def parse_reads(data: bytes) -> tuple[ReadForm, ...]:
    """One read, or ``{"reads": [...]}``; raises :class:`InputError` naming the fields that are wrong."""
    try:
        given = from_json(data)
    except ValueError:
        raise InputError("This is not a read as the server takes it; wrong: the JSON itself.") from None
    try:
        if isinstance(given, dict) and "reads" in given:
            return ReadSheet.model_validate(given).reads
        return (ReadForm.model_validate(given),)
    except ValidationError as error:
        raise _wrong(error) from None


def _wrong(error: ValidationError) -> InputError:
    fields = sorted({".".join(str(part) for part in e["loc"]) or "the JSON itself" for e in error.errors()})
    return InputError(
        f"This is not a read as the server takes it; wrong, unknown or missing: {', '.join(fields)}."
    )
