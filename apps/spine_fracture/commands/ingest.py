"""``ingest`` and ``import-lumbar``: studies into the catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spine_fracture.commands.bars import bar

if TYPE_CHECKING:
    from spine_fracture.cohort.ingest import IngestReport

_SHOWN = 50

Centre = Annotated[str, typer.Option("--centre", help="The hospital the studies are from.")]


def register(cli: typer.Typer) -> None:
    cli.command("ingest")(ingest)
    cli.command("import-lumbar")(import_lumbar)


def ingest(
    path: Annotated[Path, typer.Argument(help="Folder of DICOM, or NAME_T1 and NAME_T2 NIfTI or pictures.")],
    centre: Centre,
) -> None:
    """Take studies into the catalogue; what cannot be used is listed with the reason."""
    from spine_fracture.cohort.ingest import ingest as take_in
    from spine_fracture.cohort.project import open_project

    project = open_project()
    with bar("Studies") as report:
        result = take_in(path, centre, project, progress=report)
    _print(result, path)


def import_lumbar(
    folder: Annotated[Path, typer.Argument(help="Folder that holds manifest.json.")], centre: Centre
) -> None:
    """Take in open lumbar pairs as DICOM with assumed spacing, outlines as reference boxes."""
    from spine_fracture.cohort.lumbar import ASSUMED_SPACING_MM
    from spine_fracture.cohort.lumbar import import_lumbar as take_in
    from spine_fracture.cohort.project import open_project

    project = open_project()
    with bar("Patients") as report:
        result = take_in(folder, centre, project, progress=report)
    _print(result.ingest, folder)
    console = Console()
    console.print(f"Spacing is not known and was assumed: {ASSUMED_SPACING_MM} mm (columns, rows, slices).")
    if result.repaired:
        which = escape(", ".join(result.repaired))
        console.print(f"A level was named twice and put right by the order in: {which}.")


def _print(report: IngestReport, root: Path) -> None:
    console = Console()
    console.print(
        f"[bold]{len(report.added)}[/] studies with something new, {len(report.unchanged)} unchanged, "
        f"{len(report.incomplete)} with half of the pair missing, {len(report.refused)} entries refused."
    )
    if report.refused:
        table = Table("What", "Why it is not used", box=SIMPLE)
        for refusal in report.refused[:_SHOWN]:
            inside = refusal.path.is_relative_to(root)
            shown = refusal.path.relative_to(root) if inside else refusal.path
            table.add_row(escape(str(shown)), escape(refusal.reason))
        console.print(table)
        if len(report.refused) > _SHOWN:
            console.print(
                f"and {len(report.refused) - _SHOWN} more (see the reasons in spine-fracture cohort)."
            )
    console.print("Not for clinical use.", style="dim")
