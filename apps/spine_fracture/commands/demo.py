"""``spine-fracture demo``: the whole loop once, then serve."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console


def register(cli: typer.Typer) -> None:
    cli.command("demo")(demo)


def demo(once: Annotated[bool, typer.Option("--once", help="End after the report.")] = False) -> None:
    """Phantoms in, levels ranked, read, retrained, gated and reported; then serve until interrupted."""
    from spine_fracture.demo import DemoPlan, print_summary, run_demo
    from spine_fracture.settings import settings

    console = Console()
    home = settings().home
    print_summary(run_demo(home, console, DemoPlan()), console)
    if not once:
        from spine_fracture.commands.serve import serve

        serve(studies=str(home / "demo" / "studies"))
