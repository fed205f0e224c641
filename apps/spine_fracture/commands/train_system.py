"""``spine-fracture train system``: any system of ``configs/``, by its name, on a cohort's folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
import yaml
from rich.console import Console

from spine_fracture.commands.named_models import teller
from spine_fracture.commands.new_model import require_no_model
from spine_fracture.errors import InputError

if TYPE_CHECKING:
    from pydantic import JsonValue

    from spine_fracture.training.systems.families import System

SETTINGS = "One setting, e.g. schedule.epochs=10; as often as needed. `models available NAME` lists all."


def register(group: typer.Typer) -> None:
    group.command("system")(train_system_command)


def train_system_command(
    name: Annotated[str, typer.Argument(help="A name of `models available`, or a YAML file like theirs.")],
    cohort: Annotated[Path, typer.Option(help="Folder of the cohort.")],
    out: Annotated[Path, typer.Option(help="Folder for the model; a training in it goes on.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same model.")] = 1,
    settings: Annotated[list[str] | None, typer.Option("--set", help=SETTINGS)] = None,
) -> None:
    """Train a system on the training patients of a cohort. Not for clinical use."""
    system, console = system_with(name, settings or []), Console()
    require_no_model(out)
    require_cohort(system, cohort, console)
    try:
        trained = system.family.train(system.config, cohort, out, seed, teller(console))
    except KeyboardInterrupt:
        _tell_what_is_kept(out, console)
        raise typer.Exit(130) from None
    cost = trained.cost
    console.print(
        f"{trained.manifest.version} is in {out}, after {cost.seconds / 60:.1f} minutes on {cost.device}. "
        f"Judge it with: spine-fracture evaluate {out} --cohort {cohort} --out REPORT. Not for clinical use.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _tell_what_is_kept(out: Path, console: Console) -> None:
    kept = any(out.rglob("*.pt"))  # of an ensemble each member has one
    said = "what was learnt up to its last checkpoint is kept" if kept else "there was no checkpoint yet"
    console.print(f"Stopped: {said}. The same command goes on.", markup=False, highlight=False)


def system_with(name: str, settings: list[str]) -> System:
    """The system of this name with ``key=value`` settings, values in YAML."""
    from spine_fracture.training.systems.families import System, load_system
    from spine_fracture.training.systems.family import with_settings

    system = load_system(name)
    return System(with_settings(system.config, dict(_setting(text) for text in settings)), system.family)


def require_cohort(system: System, cohort: Path, console: Console, *, divided_anew: bool = False) -> None:
    """Say what the cohort lacks of what the system reads; raises an error that names what is missing where it
    can teach nothing. ``divided_anew``: in folds, whatever part its patients are of.
    """
    from spine_fracture.evaluation.answers import QUESTIONS
    from spine_fracture.training.cohorts.checks import require_teachable
    from spine_fracture.training.cohorts.folder import CohortFolder
    from spine_fracture.training.cohorts.study_cache import StudyCache

    CohortFolder.open(cohort)
    if system.family.read_in(cohort) == "studies":
        question = QUESTIONS[system.config.question]
        notes = require_teachable(StudyCache(cohort / "studies"), question, divided_anew=divided_anew)
        for note in notes:
            console.print(note, style="yellow", markup=False, highlight=False)


def _setting(text: str) -> tuple[str, JsonValue]:
    key, sign, value = text.partition("=")
    try:
        if sign:
            return key.strip(), yaml.safe_load(value)
    except yaml.YAMLError:
        pass
    raise InputError(f"--set {text} is no setting: write KEY=VALUE, e.g. schedule.epochs=10.")
