"""YAML configurations, found by name in ``configs/`` or by path, and checked into frozen models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from pydantic_core import ErrorDetails

from spine_fracture.errors import InputError

_PACKAGE = Path(__file__).parent
#: Inside an installed wheel the folder is in the package; in a checkout it is at the top.
CONFIGS = _PACKAGE / "configs" if (_PACKAGE / "configs").is_dir() else _PACKAGE.parents[1] / "configs"


#: What a number may be: at least 1; above 0; 0 or more; in [0, 1]; in [0, 1), as a chance to leave out.
Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
Amount = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Chance = Annotated[float, Field(ge=0, lt=1)]
#: Side of a crop in pixels, which the strides of a network leave something of.
Side = Annotated[int, Field(ge=16)]


class Config(BaseModel):
    """Base of every configuration: frozen, and a misspelt key or a number that is none is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


C = TypeVar("C", bound=Config)


def load_config(name: str | Path, kind: type[C]) -> C:
    """Read ``configs/<name>.yaml`` or the file at ``name`` as ``kind``."""
    path = Path(name)
    if not path.is_file():
        path = CONFIGS / f"{name}.yaml"
    if not path.is_file():
        raise InputError(
            f"No configuration {name}: give a YAML file or a name under configs/."
            + meant(nearest(str(name), config_names()))
        )
    try:
        content = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path.name} cannot be read as YAML: {error}") from error
    return checked(content, kind, path.name)


def checked(content: object, kind: type[C], source: str) -> C:
    """``content`` as ``kind``; where it is not, :class:`InputError` says what to write in ``source``."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        faults = "; ".join(_in_words(fault, kind) for fault in error.errors())
        raise InputError(f"{source}: {faults}{'' if faults.endswith('?') else '.'}") from None


def flattened(config: Config) -> dict[str, JsonValue]:
    """Every value of a configuration by its dotted key (``schedule.learning_rate``), as JSON has it."""

    def values(group: Mapping[str, JsonValue], prefix: str) -> Iterator[tuple[str, JsonValue]]:
        for key, value in group.items():
            if isinstance(value, dict):
                yield from values(value, f"{prefix}{key}.")
            else:
                yield prefix + key, value

    return dict(values(config.model_dump(mode="json"), ""))


def config_names() -> tuple[str, ...]:
    """Names of all configurations in ``configs/``, e.g. ``classifiers/shipped``."""
    return tuple(str(path.relative_to(CONFIGS).with_suffix("")) for path in sorted(CONFIGS.rglob("*.yaml")))


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of ``names`` that was probably meant: alike as a whole, or in its last part."""
    known = list(names)
    if whole := get_close_matches(name, known, 1):
        return whole[0]
    by_end = {_end(other): other for other in reversed(known)}
    end = get_close_matches(_end(name), by_end, 1)
    return by_end[end[0]] if end else None


def _end(name: str) -> str:
    return name.replace("/", ".").rsplit(".", 1)[-1]


def meant(name: str | None) -> str:
    """What to end a message with where :func:`nearest` gave a name; nothing where it gave none."""
    return f" Did you mean {name}?" if name else ""


#: What a value must be, by the beginning of pydantic's name for the fault.
_WANTED: Mapping[str, str] = {
    "int_from_float": "a whole number",
    "int": "a whole number",
    "float": "a number",
    "finite_number": "a finite number",
    "bool": "true or false",
    "string_type": "text",
    "path": "a path",
    "too_short": "a list of at least {min_length}",
    "too_long": "a list of at most {max_length}",
    "tuple": "a list",
    "list": "a list",
    "dict": "a group of `key: value` lines",
    "model": "a group of `key: value` lines",
    "literal_error": "one of {expected}",
    "enum": "one of {expected}",
    "greater_than_equal": "at least {ge}",
    "greater_than": "greater than {gt}",
    "less_than_equal": "at most {le}",
    "less_than": "less than {lt}",
}


def _in_words(fault: ErrorDetails, kind: type[BaseModel]) -> str:
    where, cause = fault["loc"], fault["type"]
    key = ".".join(str(part) for part in where)
    if cause == "extra_forbidden":
        return _unknown(where, kind)
    if cause == "missing":
        return f"{key} is missing"
    if cause in ("value_error", "assertion_error"):
        reason = str(fault["ctx"]["error"]).rstrip(".")
        return f"{key}: {reason}" if key else reason
    context = fault.get("ctx", {})
    wanted = next((words for start, words in _WANTED.items() if cause.startswith(start)), None)
    said = wanted.format_map(context) if wanted else fault["msg"].removeprefix("Input should be ")
    return f"{key or 'the file'} must be {said}, not {_shown(fault['input'])}"


def _shown(value: object) -> str:
    if value is None:
        return "empty"
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."


def _unknown(where: tuple[int | str, ...], kind: type[BaseModel]) -> str:
    """A key that there is not, and the nearest that there is: beside it, or anywhere in the file."""
    *group, name = where
    beside = _keys(_models_at(kind, group))
    prefix = "".join(f"{part}." for part in group)
    near = get_close_matches(str(name), beside, 1)
    if near:
        remedy = f"did you mean {prefix}{near[0]}?"
    elif elsewhere := nearest(str(name), _dotted(kind)):
        remedy = f"did you mean {elsewhere}?"
    else:
        remedy = f"there are {', '.join(prefix + key for key in beside)}"
    return f"there is no {prefix}{name}, {remedy}"


def _models_at(kind: type[BaseModel], group: Iterable[int | str]) -> tuple[type[BaseModel], ...]:
    """The models that can stand at this place; list indices and the names of a union's members stay."""
    models: tuple[type[BaseModel], ...] = (kind,)
    for part in group:
        inner = [m.model_fields[str(part)].annotation for m in models if str(part) in m.model_fields]
        models = tuple(found for annotation in inner for found in _models_in(annotation)) or models
    return models


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def _keys(models: Iterable[type[BaseModel]]) -> list[str]:
    return list(dict.fromkeys(key for model in models for key in model.model_fields))


def _dotted(kind: type[BaseModel]) -> Iterator[str]:
    """Every key that a file of this kind can have, with its groups."""
    for key, field in kind.model_fields.items():
        yield key
        yield from (f"{key}.{inner}" for model in _models_in(field.annotation) for inner in _dotted(model))
