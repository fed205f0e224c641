"""``spine-fracture models``: which there are to train, which versions there are, which one serves, and the
way back.
"""

from __future__ import annotations

import getpass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from spine_fracture.training.systems.families import System

models = typer.Typer(
    help="What can be trained, and model versions: list them, promote one, roll back.", no_args_is_help=True
)
Task = Annotated[str, typer.Option(help="detection, classification, radiographs or features")]


def register(cli: typer.Typer) -> None:
    cli.add_typer(models, name="models")


@models.command()
def available(
    name: Annotated[str | None, typer.Argument(help="One system, to see all of its settings.")] = None,
) -> None:
    """The systems that `train system` trains: what each is asked, reads, and which study it follows."""
    from spine_fracture.training.systems.families import available as systems
    from spine_fracture.training.systems.families import load_system
    from spine_fracture.training.systems.inputs import input_of

    console = Console()
    if name is not None:
        _show(load_system(name), console)
        return
    for kind, of_kind in groupby(systems(), lambda system: system.family.kind):
        title = f"{kind.capitalize()}s, in configs/{kind}s/ (not for clinical use)"
        table = Table(title=title, title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
        table.add_column("system", no_wrap=True)
        for heading in ("task", "input", "paper"):
            table.add_column(heading)
        for config in (system.config for system in of_kind):
            reads = escape(input_of(config).replace("+", " + "))
            table.add_row(config.name, config.question.replace("_", " "), reads, config.paper or "-")
        console.print(table)
    console.print(
        "`models available SYSTEM` shows all settings of one, and what they may be.",
        style="dim",
        highlight=False,
    )


@models.command("list")
def list_() -> None:
    """All versions; the champion is the one that serves."""
    from spine_fracture.cohort.project import open_project
    from spine_fracture.promotion import open_registry

    table = Table(
        title="Models (not for clinical use)", title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0)
    )
    for heading in ("model", "state", "origin", "registered", "task"):
        table.add_column(heading, no_wrap=heading == "model", overflow="fold")  # the name is to be copied
    for version in open_registry(open_project()).versions():
        table.add_row(
            escape(version.name),
            version.status,
            escape(version.origin),
            f"{version.created:%Y-%m-%d %H:%M}",
            version.task,
        )
    Console().print(table)


@models.command("register")
def register_model(folder: Annotated[Path, typer.Argument(help="Folder of a trained model.")]) -> None:
    """Take a trained model in as the candidate of its task; `models promote` then lets it serve."""
    from spine_fracture import promotion
    from spine_fracture.cohort.project import open_project

    project = open_project()
    version = promotion.register(project, promotion.open_registry(project), folder, _user())
    Console().print(
        f"{version.name} is the candidate for {version.task}: `spine-fracture models promote {version.name}` "
        "lets it serve.",
        highlight=False,
        markup=False,
    )


@models.command()
def promote(name: Annotated[str, typer.Argument(help="A model as `models list` names it.")]) -> None:
    """Make a version the champion by your own decision, past the gate; it is written down as such."""
    from spine_fracture.cohort.project import open_project
    from spine_fracture.promotion import open_registry, promote_by_hand

    project = open_project()
    version = promote_by_hand(project, open_registry(project), name, _user())
    Console().print(f"{version.name} now serves {version.task}.", highlight=False, markup=False)


@models.command()
def rollback(task: Task = "classification") -> None:
    """Put the champion before this one back."""
    from spine_fracture.cohort.project import open_project
    from spine_fracture.promotion import open_registry, roll_back

    project = open_project()
    version = roll_back(project, open_registry(project), task, _user())
    Console().print(f"{version.name} serves {version.task} again.", highlight=False, markup=False)


def _show(system: System, console: Console) -> None:
    """Every setting of a system, and for those with names what they may be."""
    from spine_fracture.training.systems.choices import choices
    from spine_fracture.training.systems.family import settings_of, value_of
    from spine_fracture.training.systems.inputs import input_of

    config = system.config
    console.print(
        f"{config.name} ({system.family.kind}, {config.family}) reads {input_of(config)}; "
        f"{config.question.replace('_', ' ')}; {config.paper or 'no study of others'}. Not for clinical use.",
        highlight=False,
        markup=False,
    )
    named = {choice.key: ", ".join(choice.names) for choice in choices(system.config)}
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0))
    for heading in ("--set", "value", "may be"):
        table.add_column(heading, overflow="fold")
    for key in settings_of(system.config):
        table.add_row(key, escape(str(value_of(system.config, key))), escape(named.get(key, "")))
    console.print(table)


def _user() -> str:
    """Who sits at this terminal, for the record."""
    return getpass.getuser()
