"""``spine-fracture evaluate``: models judged on a cohort, as one page and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spine_fracture.commands.named_models import MODELS, judged_models, teller

if TYPE_CHECKING:
    from spine_fracture.evaluation.cases.readers import ReaderAnswer
    from spine_fracture.evaluation.reports.evaluation_report import EvaluationReport


def register(cli: typer.Typer) -> None:
    cli.command("evaluate")(evaluate)


def evaluate(
    models: Annotated[list[str], typer.Argument(help=MODELS)],
    cohort: Annotated[Path, typer.Option(help="Folder of the cohort that they are judged on.")],
    out: Annotated[Path, typer.Option(help="Folder for evaluation.html and evaluation.json.")],
    readers: Annotated[
        str | None,
        typer.Option(
            help="The snapshot that the cohort was made of, or latest: its readers beside the models."
        ),
    ] = None,
) -> None:
    """Judge models on the test and external patients of a cohort. Not for clinical use."""
    from spine_fracture.evaluation.reports.evaluation_report import write_evaluation
    from spine_fracture.training.comparisons.evaluating import evaluated

    console = Console()
    reads = _reads(readers, cohort) if readers is not None else ()
    report = evaluated(judged_models(models, cohort, console), cohort, teller(console), reads)
    html, data = write_evaluation(report, out)
    print_evaluation(report, console)
    said = f"The report is {html}, its figures are in {data.name}. Not for clinical use."
    console.print(said, markup=False, highlight=False, soft_wrap=True)


def print_evaluation(report: EvaluationReport, console: Console) -> None:
    """The headline of each model."""
    from spine_fracture.evaluation.reports.pages import between, value

    table = Table("Model", "Part", "Judged by", "AUC or mAP50-95", "95 %", "Cases", box=SIMPLE)
    for model in report.models:
        for result in model.results:
            row = (result.part, result.unit, value(result.auc), between(result.auc), str(result.cases))
            table.add_row(escape(model.name), *row)
        for found in model.detection:
            box = (found.part, "box", value(found.map50_95), between(found.map50_95), str(found.boxes))
            table.add_row(escape(model.name), *box)
    if table.row_count:
        console.print(table)
    for model in report.models:
        if not model.results and not model.detection:
            said = f"{model.name}: nothing can be judged, no part has two patients that it answered about."
            console.print(said, markup=False, highlight=False, soft_wrap=True)


def _reads(snapshot: str, cohort: Path) -> tuple[ReaderAnswer, ...]:
    from spine_fracture.cohort.project import open_project
    from spine_fracture.reader_reads import reader_reads
    from spine_fracture.training.cohorts.folder import CohortFolder

    return reader_reads(open_project(), snapshot, CohortFolder.open(cohort).names)
