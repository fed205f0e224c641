"""``cohort``: what the catalogue holds, centre by centre, and freezing it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spine_fracture.anatomy import Basis, Diagnosis, Primary
from spine_fracture.commands import cohort_make, radiographs

if TYPE_CHECKING:
    from spine_fracture.cohort.overview import CentreOverview

_SHOWN = 20


def register(cli: typer.Typer) -> None:
    group = typer.Typer(help="What the catalogue holds, and snapshots of it.", invoke_without_command=True)
    group.callback()(show)
    group.command("freeze")(freeze)
    group.command("describe")(describe)
    cohort_make.register(group)
    radiographs.register_cohort(group)
    cli.add_typer(group, name="cohort")


def show(
    context: typer.Context,
    centre: Annotated[str | None, typer.Option(help="Count the read levels of this centre.")] = None,
    diagnosis: Annotated[Diagnosis | None, typer.Option(help="Count the levels read as this.")] = None,
    min_reads: Annotated[
        int | None, typer.Option(help="Count the levels that so many readers read.", min=1)
    ] = None,
    basis: Annotated[Basis | None, typer.Option(help="Count the levels whose class rests on this.")] = None,
    primary: Annotated[
        Primary | None, typer.Option(help="Count the levels of patients with this tumour.")
    ] = None,
) -> None:
    """Patients, studies, levels and reads of each centre, and what is missing.

    With any of the options, how many levels have an answer like that: agreed on, or adjudicated.
    """
    if context.invoked_subcommand is not None:
        return
    from spine_fracture.cohort.adjudication import awaiting
    from spine_fracture.cohort.overview import count_levels, overview, reasons
    from spine_fracture.cohort.project import open_project

    console = Console()
    with open_project().session() as session:
        if any(option is not None for option in (centre, diagnosis, min_reads, basis, primary)):
            found = count_levels(session, centre, diagnosis, min_reads or 1, basis, primary)
            console.print(f"{found} level{'' if found == 1 else 's'}. Not for clinical use.", highlight=False)
            return
        rows, why, disputes = overview(session), reasons(session), len(awaiting(session))
    if not rows:
        console.print(
            "The catalogue is empty: take studies in with spine-fracture ingest PATH --centre NAME."
        )
        return
    console.print(_holdings(rows), _pictures(rows))
    if disputes:
        console.print(f"Readers disagree, and nobody has decided yet: {disputes}.", highlight=False)
    if why:
        reasons_table = Table("Centre", "Refused or not read, because", "Count", box=SIMPLE)
        for centre, reason, count in why[:_SHOWN]:
            reasons_table.add_row(escape(centre), escape(reason), str(count))
        console.print(reasons_table)
    console.print("Not for clinical use.", style="dim")


def _holdings(rows: Sequence[CentreOverview]) -> Table:
    table = _table("Patients", "training, validation, test", "Studies", "Levels", "Reads")
    for row in rows:
        counts = map(str, (row.studies, row.levels, row.reads))
        by_split = ", ".join(map(str, row.patients))
        table.add_row(escape(row.centre), str(sum(row.patients)), by_split, *counts)
    return table


def _pictures(rows: Sequence[CentreOverview]) -> Table:
    """In a table of its own, so that both fit a window of 80 columns."""
    table = _table("Series", "usable", "No T1", "No T2", "Pairs moved", "Radiographs", "Refused")
    for row in rows:
        counts = (row.series, row.usable_series, row.without_t1, row.without_t2, row.moved_pairs)
        table.add_row(escape(row.centre), *map(str, (*counts, row.radiographs, row.refused)))
    return table


def _table(*headings: str) -> Table:
    table = Table(box=SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("Centre", overflow="fold")
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def describe(
    path: Annotated[Path, typer.Argument(help="CSV: patient, and sex (F, M, O) or primary_tumour or both.")],
    centre: Annotated[str, typer.Option(help="The hospital whose patients these are.")],
) -> None:
    """Add what the pictures do not say of patients, e.g. which tumour their metastases come from."""
    from spine_fracture.cohort.patient_list import describe_patients, read_patient_list
    from spine_fracture.cohort.project import open_project

    result = describe_patients(open_project(), centre, read_patient_list(path))
    console = Console()
    console.print(
        f"[bold]{result.changed}[/] patients with something new, {result.unchanged} unchanged, "
        f"{len(result.unknown_lines)} not in the catalogue at {escape(centre)}."
    )
    if result.unknown_lines:
        shown = ", ".join(map(str, result.unknown_lines[:_SHOWN]))
        console.print(f"Not in the catalogue, lines: {shown}{' ...' * (len(result.unknown_lines) > _SHOWN)}.")


def freeze(name: Annotated[str | None, typer.Option(help="Name of the snapshot.")] = None) -> None:
    """Freeze the reads as they are now, to train on and to cite."""
    from spine_fracture.cohort.project import open_project
    from spine_fracture.cohort.snapshots import freeze as take
    from spine_fracture.cohort.snapshots import read_snapshot

    project = open_project()
    snapshot = take(project, name)
    content = read_snapshot(project, snapshot.name)
    console = Console()
    console.print(
        f"[bold]{escape(snapshot.name)}[/] sha256 {snapshot.sha256[:12]}: "
        f"{len(content.training)} reads to train on, "
        f"{len(content.evaluation)} to evaluate with."
    )
    if content.disputed:
        console.print(f"Left out, because their readers disagree: {len(content.disputed)} levels.")
