"""``spine-fracture withdraw``: a reader takes a read back."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console


def register(cli: typer.Typer) -> None:
    cli.command("withdraw")(withdraw)


def withdraw(
    read_id: Annotated[int, typer.Argument(help="The number the read was acknowledged with.")],
    reader: Annotated[str, typer.Option(help="Who read it: only one's own reads can be withdrawn.")],
) -> None:
    """Take a read back; the one it had replaced, if any, stands again. Not for clinical use."""
    from spine_fracture.cohort.project import open_project
    from spine_fracture.cohort.protocol import load_protocol
    from spine_fracture.cohort.reads import withdraw_read
    from spine_fracture.server.reports.outbox import queue_reports

    project = open_project()
    with project.transaction() as session:
        level = withdraw_read(session, read_id, reader).level
        queue_reports(session, level, load_protocol(project.settings.protocol))
    Console().print(
        f"Read {read_id} of level {level.id} is withdrawn. Not for clinical use.", highlight=False
    )
