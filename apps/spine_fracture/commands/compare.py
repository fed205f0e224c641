"""``spine-fracture compare``: models side by side and in pairs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spine_fracture.commands.named_models import MODELS, judged_models
from spine_fracture.errors import InputError

if TYPE_CHECKING:
    from spine_fracture.evaluation.cases.differences import Difference
    from spine_fracture.evaluation.cases.pairwise import PairwiseTable
    from spine_fracture.evaluation.detection.paired import BoxTable
    from spine_fracture.evaluation.reports.comparison_report import ComparisonReport
    from spine_fracture.evaluation.statistics.intervals import Estimate


def register(cli: typer.Typer) -> None:
    cli.command("compare")(compare)


def compare(
    models: Annotated[list[str], typer.Argument(help=MODELS)],
    cohort: Annotated[
        Path | None, typer.Option(help="Folder of the cohort, for models that have not answered it yet.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="A file for the page; the figures go beside it as JSON.")
    ] = None,
    question: Annotated[str, typer.Option(help="What all are judged by. Default: their own question.")] = "",
    margin: Annotated[
        float, typer.Option(help="So much less AUC is still called not worse.", min=0, max=1)
    ] = 0.05,
) -> None:
    """Compare models on the cases that they have answered in common. Not for clinical use."""
    if len(models) < 2:
        raise InputError("A comparison needs two models at least: name another.")
    from spine_fracture.evaluation.reports.comparison_report import Compared, compared, write_comparison

    console = Console()
    judged = [Compared(m.name, m.version, m.answers, m.boxes) for m in judged_models(models, cohort, console)]
    report = compared(judged, question=question, margin=margin)
    _print(report, console)
    if out is not None:
        html, data = write_comparison(report, out)
        said = f"The page is {html}, its figures are in {data.name}."
        console.print(said, markup=False, highlight=False, soft_wrap=True)
    console.print("Not for clinical use.", style="dim")


def _print(report: ComparisonReport, console: Console) -> None:
    table = _table("part", "by", "cases", "AUC", "macro-F1")
    boxes = _table("part", "labels", "mAP50-95", "F1")
    for row in report.rows:
        for result in row.results:
            cells = _cells(result.auc, result.macro_f1)
            table.add_row(escape(row.name), result.part, result.unit, str(result.cases), *cells)
        for found in row.detection:
            boxes.add_row(escape(row.name), found.part, found.task, *_cells(found.map50_95, found.f1))
    for each in (table, boxes):
        if each.row_count:
            console.print(each)
    for pairs in report.tables:
        console.print(_pairs(report, pairs))
    for detectors in report.box_tables:
        console.print(_box_pairs(detectors))


def _table(*headings: str, first: str = "model", title: str | None = None) -> Table:
    """Narrow enough for a window of 80 columns: the page and the JSON have all figures."""
    table = Table(title=title, title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0), show_edge=False)
    for heading in (first, *headings):
        table.add_column(heading, overflow="fold")
    return table


def _box_pairs(found: BoxTable) -> Table:
    title = f"{found.part}, boxes of {found.task}; p after Holm"
    table = _table("pictures", "mAP50-95", "", first="second less first", title=title)
    for pair in found.pairs:
        told = pair.difference
        names = f"{escape(pair.second)}\nless {escape(pair.first)}"
        table.add_row(names, str(told.cases), _difference(told), told.verdict)
    return table


def _cells(*figures: Estimate | None) -> tuple[str, ...]:
    from spine_fracture.evaluation.reports.pages import between, value

    return tuple(f"{value(figure)}\n{between(figure)}" for figure in figures)


def _pairs(report: ComparisonReport, pairs: PairwiseTable) -> Table:
    from spine_fracture.evaluation.cases.binary import Metric
    from spine_fracture.evaluation.reports.pages import NOTHING

    table = _table(
        *("cases", "AUC", "macro-F1", f"not worse\nby {report.margin:g}"),
        first="second less first",
        title=f"{pairs.part}, by {pairs.unit}; p after Holm",
    )
    for pair in pairs.pairs:
        cells = [_difference(pair.of(metric)) for metric in (Metric.AUC, Metric.MACRO_F1)]
        safe = report.not_worse(pair)
        verdict = NOTHING if safe is None else "yes" if safe else "not shown"
        table.add_row(f"{escape(pair.second)}\nless {escape(pair.first)}", str(pair.cases), *cells, verdict)
    return table


def _difference(found: Difference | None) -> str:
    from spine_fracture.evaluation.reports.pages import p_value, plus, plus_between

    difference = found.difference if found else None
    p = "" if found is None or found.p_told is None else f", p {p_value(found.p_told)}"
    return f"{plus(difference)}{p}\n{plus_between(difference)}"
