"""``spine-fracture papers``: the tables of the five source studies, filled from a comparison's runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def register(cli: typer.Typer) -> None:
    cli.command("papers")(papers)


def papers(
    results: Annotated[Path, typer.Option(help="Folder of a comparison's results, a folder for each entry.")],
    out: Annotated[Path, typer.Option(help="The page to write.")],
    cohort: Annotated[
        Path | None, typer.Option(help="Folder of a cohort whose imaging features stand beside the study's.")
    ] = None,
) -> None:
    """The studies' tables with our figures beside theirs. Not for clinical use."""
    from spine_fracture.evaluation.papers.page import filled_papers, render_papers
    from spine_fracture.files import write_atomically
    from spine_fracture.training.cohorts.folder import CohortFolder
    from spine_fracture.training.comparisons.evaluating import cohort_features
    from spine_fracture.training.comparisons.paper_results import results_in

    features = cohort_features(cohort) if cohort and CohortFolder.open(cohort).names else ()
    filled = filled_papers(results_in(results))
    write_atomically(out, render_papers(filled, features).encode())
    rows = [row for paper in filled for table in paper.tables for row in table.rows if row.row.entry]
    run = sum(row.runs is not None for row in rows)
    said = f"{run} of {len(rows)} rows are filled; the others say that they were not run. The page is {out}."
    Console().print(f"{said} Not for clinical use.", markup=False, highlight=False, soft_wrap=True)
