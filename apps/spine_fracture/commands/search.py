"""``spine-fracture train search``: find settings of a system by many trainings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from spine_fracture.commands.named_models import teller


def register(group: typer.Typer) -> None:
    group.command("search")(search_command)


def search_command(
    config: Annotated[str, typer.Option(help="A YAML file or a name under configs/, searches/ among them.")],
    cohort: Annotated[Path, typer.Option(help="Folder of the cohort.")],
    out: Annotated[Path, typer.Option(help="Folder for the search and the best configuration.")],
    trials: Annotated[
        int | None, typer.Option(help="Trials in all. Default: the configuration's.", min=1)
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            help="A database that several machines share, postgresql+psycopg://... Default: a file in --out.",
            envvar="SPINE_FRACTURE_SEARCH_URL",
        ),
    ] = None,
) -> None:
    """Search the settings of a system for the lowest validation loss.

    The same command goes on with a search that was cut short, and joins one on another machine.
    """
    from spine_fracture.configuration import load_config
    from spine_fracture.training.searches.search import BEST, search
    from spine_fracture.training.searches.search_config import SearchConfig

    recipe = load_config(config, SearchConfig)
    if trials is not None:
        recipe = recipe.model_copy(update={"trials": trials})
    console = Console()
    found = search(recipe, cohort, out, teller(console), storage)
    table = Table("Trial", "Validation loss", *recipe.space, box=SIMPLE)
    for attempt in sorted(found.attempts, key=lambda one: (one.pruned, one.loss)):
        ended = " (ended early)" if attempt.pruned else ""
        values = (f"{v:.3g}" if isinstance(v, float) else str(v) for v in attempt.settings.values())
        table.add_row(str(attempt.number), f"{attempt.loss:.4f}{ended}", *values)
    console.print(table)
    console.print(
        f"The best settings are in {out / BEST}: spine-fracture train system {out / BEST} --cohort {cohort} "
        "--out MODEL trains by them. Not for clinical use.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
