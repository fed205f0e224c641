"""``spine-fracture read``: the serving models read what they have not read yet."""

from __future__ import annotations

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spine_fracture.commands.bars import bar


def register(cli: typer.Typer) -> None:
    cli.command("read")(read)


def read() -> None:
    """Let the champions read every study that they have not read. Not for clinical use."""
    from spine_fracture.cohort.project import open_project
    from spine_fracture.pipeline import ReadingPipeline
    from spine_fracture.promotion import open_registry
    from spine_fracture.reading import read_catalogue

    project = open_project()
    registry = open_registry(project)
    detector, classifier = registry.champion("detection"), registry.champion("classification")
    pipeline = ReadingPipeline.load(detector.folder, classifier.folder)
    with bar("Studies") as progress:
        result = read_catalogue(project, pipeline, progress)
    console = Console()
    console.print(
        f"[bold]{len(result.read)}[/] studies read, {len(result.kept)} read by these models before, "
        f"{len(result.refused)} refused."
    )
    if result.refused:
        table = Table("Study", "Why it was not read", box=SIMPLE)
        for uid, reason in result.refused:
            table.add_row(uid, escape(reason))
        console.print(table)
    console.print("Not for clinical use.", style="dim")
