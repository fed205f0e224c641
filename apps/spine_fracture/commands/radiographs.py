"""``cohort simulate-radiographs``: AP and lateral radiographs that the radiograph models learn from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from spine_fracture.commands.bars import bar


def register_cohort(group: typer.Typer) -> None:
    group.command("simulate-radiographs")(simulate_radiographs)


def simulate_radiographs(
    out: Annotated[Path, typer.Option(help="Folder of the cohort; they go into its radiographs/.")],
    config: Annotated[
        str, typer.Option(help="A YAML file or a name under configs/.")
    ] = "cohorts/radiographs",
) -> None:
    """Simulate radiographs of patients with a benign or malignant fracture, projected from phantoms.

    A run that was cut short goes on where it stopped. Not for clinical use.
    """
    from collections import Counter

    from spine_fracture.configuration import load_config
    from spine_fracture.simulation.radiograph_recipe import RadiographRecipe
    from spine_fracture.training.radiograph_cohort import make_radiographs

    recipe = load_config(config, RadiographRecipe)
    with bar(f"Making {recipe.name}") as progress:
        cache = make_radiographs(recipe, out, progress)
    console = Console()
    for (part, diagnosis), count in sorted(
        Counter((str(label.part or "training"), str(label.diagnosis)) for label in cache.labels).items()
    ):
        console.print(f"{part}: {count} patients with {diagnosis}", markup=False, highlight=False)
    console.print(f"{cache.name}: {len(cache)} patients in {out}", markup=False, highlight=False)
