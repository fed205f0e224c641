"""``spine-fracture phantom``: a cohort of phantom patients as DICOM, and its truth beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from spine_fracture.commands.bars import bar


def register(cli: typer.Typer) -> None:
    cli.command("phantom")(phantom)


def phantom(
    out: Annotated[Path, typer.Option(help="Folder for studies/CENTRE/PATIENT and truth/.")],
    config: Annotated[
        str, typer.Option(help="Recipe: a name under configs/ or a YAML file.")
    ] = "phantoms/small",
) -> None:
    """Make phantom studies that anybody can have. A run that was cut short goes on where it stopped."""
    from spine_fracture.cohort.phantoms import make_phantoms
    from spine_fracture.configuration import load_config
    from spine_fracture.simulation.recipe import PhantomRecipe

    recipe = load_config(config, PhantomRecipe)
    with bar("Making phantoms") as progress:
        made = make_phantoms(out, recipe, progress)
    there = recipe.patients - made
    Console(stderr=True).print(
        f"{made} studies made, {there} were there; studies in {out / 'studies'}", markup=False
    )
