"""YAML configurations, found by name in ``configs/`` or by path, and checked into frozen models."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from spine_fracture.errors import InputError

_PACKAGE = Path(__file__).parent
#: Inside an installed wheel the folder is in the package; in a checkout it is at the top.
CONFIGS = _PACKAGE / "configs" if (_PACKAGE / "configs").is_dir() else _PACKAGE.parents[1] / "configs"


class Config(BaseModel):
    """Base of every configuration: frozen, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


C = TypeVar("C", bound=Config)


def load_config(name: str | Path, kind: type[C]) -> C:
    """Read ``configs/<name>.yaml`` or the file at ``name`` as ``kind``."""
    path = Path(name)
    if not path.is_file():
        path = CONFIGS / f"{name}.yaml"
    if not path.is_file():
        raise InputError(f"No configuration {name}: give a YAML file or a name under configs/.")
    try:
        return kind.model_validate(yaml.safe_load(path.read_text()))
    except (yaml.YAMLError, ValidationError) as error:
        raise InputError(f"{path.name} is not a valid {kind.__name__}: {error}") from error
