"""``cohort simulate`` and ``cohort cache``: studies in the one form that all systems train on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from spine_fracture.commands.bars import bar


def register(group: typer.Typer) -> None:
    group.command("simulate")(simulate)
    group.command("cache")(cache)


def simulate(
    out: Annotated[Path, typer.Option(help="Folder of the cohort.")],
    config: Annotated[str, typer.Option(help="A YAML file or a name under configs/.")] = "cohorts/comparison",
    data: Annotated[
        Path | None, typer.Option(help="Real pairs laid out like the lumbar set, where the cohort has some.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes that make patients.", min=1)] = 2,
) -> None:
    """Simulate a cohort with its truth, to train and compare systems on.

    A run that was cut short goes on where it stopped. Not for clinical use.
    """
    from spine_fracture.configuration import load_config
    from spine_fracture.training.cohorts.config import CohortConfig
    from spine_fracture.training.cohorts.making import make_cohort

    recipe = load_config(config, CohortConfig)
    with bar(f"Making {recipe.name}") as progress:
        summary = make_cohort(recipe, data, out, workers, progress)
    parts = sorted({part for counts in summary.centres.values() for part in counts})
    table = Table("Patients", *parts, box=SIMPLE)
    for centre, counts in summary.centres.items():
        table.add_row(f"centre {centre}", *(str(counts.get(part, 0)) for part in parts))
    for diagnosis in sorted({name for counts in summary.classes.values() for name in counts}):
        table.add_row(diagnosis, *(str(summary.classes.get(part, {}).get(diagnosis, 0)) for part in parts))
    console = Console()
    console.print(table)
    for diagnosis, (skipping, having) in summary.skip_lesions.items():
        console.print(f"{diagnosis} in more than one vertebra: {skipping} of {having} patients")
    console.print(f"{summary.name}: {summary.patients} patients in {out}", markup=False, highlight=False)


def cache(
    out: Annotated[Path, typer.Option(help="Folder of the cohort.")],
    snapshot: Annotated[str, typer.Option(help="A frozen snapshot's name, or latest.")] = "latest",
) -> None:
    """Put the reads of a snapshot into the form that systems are trained and compared on.

    Reads of validation patients choose, those of the locked test patients judge, none of them teaches.
    """
    from spine_fracture.cohort.project import open_project
    from spine_fracture.read_cohort import cache_snapshot

    console = Console()
    with bar("Reading studies") as progress:
        written, left_out = cache_snapshot(
            open_project(), snapshot, out, lambda what, done, of: progress(done, of)
        )
    for reason in left_out:
        console.print(f"Left out: {reason}", markup=False, highlight=False)
    studies = "1 study" if written == 1 else f"{written} studies"
    console.print(f"{studies} in {out}", markup=False, highlight=False)
