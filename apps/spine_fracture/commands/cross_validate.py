"""``spine-fracture cross-validate``: a system on all patients of a cohort, each judged by a model that never
saw them.
"""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from spine_fracture.commands.evaluate import print_evaluation
from spine_fracture.commands.named_models import judged_models, teller
from spine_fracture.commands.train_system import SETTINGS, require_cohort, system_with
from spine_fracture.errors import InputError


def register(cli: typer.Typer) -> None:
    cli.command("cross-validate")(cross_validate_command)


def cross_validate_command(
    name: Annotated[str, typer.Argument(help="A name of `models available`, or a YAML file like theirs.")],
    cohort: Annotated[Path, typer.Option(help="Folder of the cohort.")],
    out: Annotated[Path, typer.Option(help="Folder for the report; folds that are done in it stay done.")],
    folds: Annotated[int | None, typer.Option(help="So many folds by patient. Default: 10.", min=2)] = None,
    by_centre: Annotated[bool, typer.Option("--by-centre", help="Leave one centre out a fold.")] = False,
    seed: Annotated[int, typer.Option(help="Of the folds and of every training.")] = 1,
    settings: Annotated[list[str] | None, typer.Option("--set", help=SETTINGS)] = None,
) -> None:
    """Train a model a fold, and judge each patient by the one that never saw them. Not for clinical use.

    By patient the folds are stratified and external centres take no part; by centre all do.
    """
    if by_centre and folds is not None:
        raise InputError("Folds are either by patient (--folds) or by centre (--by-centre): leave one out.")
    from spine_fracture.evaluation.reports.evaluation_report import write_evaluation
    from spine_fracture.training.comparisons.comparison import keep
    from spine_fracture.training.comparisons.cross_validation import (
        cross_validate,
        folds_by_centre,
        folds_by_patient,
    )
    from spine_fracture.training.comparisons.evaluating import evaluated

    system, console = system_with(name, settings or []), Console()
    require_cohort(system, cohort, console, divided_anew=True)
    planned = folds_by_centre(cohort, seed) if by_centre else folds_by_patient(cohort, folds or 10, seed)
    results, work, tell = out / "folds", out / "work", teller(console)
    judged = cross_validate(system, cohort, planned, seed, results, work, platform.platform(), tell)
    keep(out, judged)
    report = evaluated(judged_models([str(out)], cohort, console), cohort, tell)
    html, _ = write_evaluation(report, out)
    print_evaluation(report, console)
    console.print(
        f"The report on {len(planned)} folds is {html}, the answers lie beside it. Not for clinical use.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
