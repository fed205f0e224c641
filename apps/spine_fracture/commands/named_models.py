"""Models as commands take them: folders, names in the project's registry, or answers kept earlier."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from spine_fracture.training.comparisons.judged_models import JudgedModel
    from spine_fracture.training.systems.family import Tell

MODELS = (
    "Models: a bundle's folder, a registered model's name, or the folder of a run, of all runs of a system, "
    "or of answers."
)


def judged_models(named: Iterable[str], cohort: Path | None, console: Console) -> list[JudgedModel]:
    """What each of them answered, or answers now to ``cohort``."""
    from spine_fracture.training.comparisons.judged_models import judged_model

    return [judged_model(name, cohort, _registered, teller(console)) for name in named]


def teller(console: Console) -> Tell:
    """What prints each line of progress as it is."""
    return lambda line: console.print(str(line), markup=False, highlight=False)


def _registered(name: str) -> Path:
    from spine_fracture.cohort.project import open_project
    from spine_fracture.promotion import open_registry

    return open_registry(open_project()).named(name).folder
