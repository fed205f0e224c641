"""``spine-fracture next``: what a reader should read next."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from spine_fracture.cohort.words import WorkList

_INGEST = "ingest more studies, or let the models read those there are with spine-fracture read"
_MORE = {
    WorkList.ASSISTED: _INGEST,
    WorkList.BLINDED: _INGEST,
    WorkList.SECOND: "levels come here when another reader has answered them",
    WorkList.ADJUDICATION: "levels come here when their readers disagree",
}


def register(cli: typer.Typer) -> None:
    cli.command("next")(next_)


def next_(
    reader: Annotated[str, typer.Option(help="Who reads, e.g. reader-1; a pseudonym will do.")],
    n: Annotated[int, typer.Option(help="How many levels.", min=1, max=1000)] = 10,
    work_list: Annotated[WorkList, typer.Option("--list", help="Which work list.")] = WorkList.ASSISTED,
    protocol: Annotated[
        str | None, typer.Option(help="How many readers see each level, as serve has it: single or double.")
    ] = None,
    strategy: Annotated[
        str | None, typer.Option(help="A strategy under configs/strategies; else the protocol's.")
    ] = None,
) -> None:
    """Print the reader's queue. Not for clinical use."""
    from spine_fracture.active_learning.strategies import load_strategy
    from spine_fracture.active_learning.worklists import next_items
    from spine_fracture.cohort.project import open_project
    from spine_fracture.cohort.protocol import load_protocol
    from spine_fracture.errors import InputError

    project = open_project()
    rules = load_protocol(protocol or project.settings.protocol)
    if work_list is WorkList.SECOND and rules.reads_per_level == 1:
        raise InputError(
            "One reader answers a level here: for second reads set SPINE_FRACTURE_PROTOCOL=double for serve "
            "and next, or give both --protocol double."
        )
    config = load_strategy(strategy or rules.strategy)
    with project.session() as session:
        items = next_items(session, reader, work_list, rules, config, n)
    console = Console()
    if not items:
        console.print(f"Nothing is left to read: {_MORE[work_list]}.")
        return
    table = Table(title=f"Next for {escape(reader)} (not for clinical use)")
    for heading in ("", "level id", "study", "level", "slice", "centre", "mode", "why"):
        table.add_column(heading, overflow="fold")
    for number, item in enumerate(items, 1):
        table.add_row(
            str(number),
            str(item.level_id),
            item.study_uid,
            item.level,
            str(item.series[0].slice_index + 1),
            escape(item.centre),
            item.mode,
            escape(item.reason),
        )
    console.print(table)
