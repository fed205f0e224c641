"""What can be chosen in a system's configuration by name: sizes, layouts, sequences, tasks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel

from spine_fracture.detection.families import LAYOUTS
from spine_fracture.training.detectors.config import DetectorConfig
from spine_fracture.training.systems.family import SystemConfig

#: What the harness sets, not who trains.
_FIXED = ("family", "schedule")


@dataclass(frozen=True)
class Choice:
    """A dotted ``key`` as :func:`spine_fracture.training.systems.family.with_settings` takes it, what it is
    set to, and all that it may be.
    """

    key: str
    chosen: str
    names: tuple[str, ...]


def choices(config: SystemConfig) -> tuple[Choice, ...]:
    """All fields of this configuration that take one, or a list, of a few names."""
    found = tuple(_in(config, ""))
    if isinstance(config, DetectorConfig):
        return (Choice("layout", config.layout, LAYOUTS[config.family]), *found)
    return found


def _in(config: BaseModel, prefix: str) -> Iterator[Choice]:
    for key, field in type(config).model_fields.items():
        if not prefix and key in _FIXED:
            continue
        value = getattr(config, key)
        if isinstance(value, BaseModel):
            yield from _in(value, f"{prefix}{key}.")
        elif len(names := tuple(dict.fromkeys(_names(field.annotation)))) > 1:
            given = value if isinstance(value, tuple) else (value,)
            yield Choice(f"{prefix}{key}", ", ".join(map(str, given)), names)


def _names(annotation: Any) -> Iterator[str]:
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        yield from (str(member.value) for member in annotation)
    elif get_origin(annotation) is Literal:
        yield from (str(name) for name in get_args(annotation))
    else:
        for part in get_args(annotation):
            yield from _names(part)
