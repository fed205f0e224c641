"""Every trainable system by its name in ``configs/``, and the family that builds it.

A family's module is imported when one of its systems is asked for: some bring in libraries that take
seconds to load.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import yaml

from spine_fracture.configuration import CONFIGS, load_config, meant, nearest
from spine_fracture.errors import InputError
from spine_fracture.training.systems.family import Family, SystemConfig

#: Where in ``training/`` each family's constant is, and its name there.
_WHERE: Mapping[str, tuple[str, str]] = {
    "yolo": ("detectors.detector", "YOLO"),
    "rtdetr": ("detectors.detector", "RTDETR"),
    "detr": ("detectors.detector", "DETR"),
    "retinanet": ("detectors.detector", "RETINANET"),
    "six_channel": ("systems.six_channel", "FAMILY"),
    "yeh2022": ("systems.yeh2022", "FAMILY"),
    "whole_study": ("systems.whole_study", "FAMILY"),
    "lumbar_pathology": ("systems.lumbar_pathology", "FAMILY"),
    "hemangioma": ("systems.hemangioma", "FAMILY"),
    "chou": ("systems.chou", "FAMILY"),
    "feature_regression": ("systems.feature_regression", "FAMILY"),
    "majority": ("systems.baselines", "MAJORITY"),
    "intensity_regression": ("systems.baselines", "INTENSITY"),
}
_FOLDERS = ("detectors", "classifiers")


@dataclass(frozen=True)
class System:
    """A system that can be trained: its configuration and the family that does it."""

    config: SystemConfig
    family: Family

    @property
    def name(self) -> str:
        return self.config.name


def family_named(name: str) -> Family:
    """The family of this name, its module imported."""
    if name not in _WHERE:
        raise InputError(f"There is no family {name!r}: use one of {', '.join(_WHERE)}.")
    module, constant = _WHERE[name]
    family = getattr(import_module(f"spine_fracture.training.{module}"), constant)
    assert isinstance(family, Family)
    return family


def system_names() -> tuple[str, ...]:
    """Names of all systems in ``configs/``, detectors first."""
    return tuple(path.stem for path in _files())


def load_system(name: str) -> System:
    """The system of this name in ``configs/``, or of the YAML file at this path."""
    path = next((p for p in _files() if p.stem == name), Path(name))
    if not path.is_file():
        raise InputError(
            f"There is no system {name!r}: `spine-fracture models available` lists them."
            + meant(nearest(name, system_names()))
        )
    return _system_in(path)


def available() -> Iterator[System]:
    """All systems in ``configs/``."""
    return (_system_in(path) for path in _files())


def _system_in(path: Path) -> System:
    stated = _family_of(path)
    if stated is None:
        raise InputError(f"{path.name} names no family: add `family:`, one of {', '.join(_WHERE)}.")
    family = family_named(stated)
    return System(load_config(path, family.config), family)


def _files() -> tuple[Path, ...]:
    found = (path for folder in _FOLDERS for path in sorted((CONFIGS / folder).glob("*.yaml")))
    return tuple(path for path in found if _family_of(path) is not None)


def _family_of(path: Path) -> str | None:
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path.name} cannot be read as YAML: {error}") from error
    stated = content.get("family") if isinstance(content, dict) else None
    return None if stated is None else str(stated)
