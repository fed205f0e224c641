"""``spine-fracture models``: which versions there are, which one serves, and the way back."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

models = typer.Typer(help="Model versions: list them, promote one, roll back.", no_args_is_help=True)
Task = Annotated[str, typer.Option(help="detection or classification")]


def register(cli: typer.Typer) -> None:
    cli.add_typer(models, name="models")


@models.command("list")
def list_() -> None:
    """All versions; the champion is the one that serves."""
    from spine_fracture.cohort.project import open_project
    from spine_fracture.promotion import open_registry

    table = Table(title="Models (not for clinical use)")
    for heading in ("task", "version", "model", "state", "origin", "registered"):
        table.add_column(heading, overflow="fold")
    for version in open_registry(open_project()).versions():
        table.add_row(
            version.task,
            str(version.number),
            escape(version.name),
            version.state,
            escape(version.origin),
            f"{version.created:%Y-%m-%d %H:%M}",
        )
    Console().print(table)


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


def _user() -> str:
    """Who sits at this terminal, for the record."""
    return getpass.getuser()
