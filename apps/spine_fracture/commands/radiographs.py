"""``cohort simulate-radiographs`` makes what the radiograph models learn from; ``read-radiograph`` asks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from spine_fracture.commands.bars import bar

CHAMPION = "champion"


def register(cli: typer.Typer) -> None:
    cli.command("read-radiograph")(read)


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
    from spine_fracture.training.cohorts.radiograph_cohort import make_radiographs

    recipe = load_config(config, RadiographRecipe)
    with bar(f"Making {recipe.name}") as progress:
        cache = make_radiographs(recipe, out, progress)
    console = Console()
    for (part, diagnosis), count in sorted(
        Counter((str(label.part or "training"), str(label.diagnosis)) for label in cache.labels).items()
    ):
        console.print(f"{part}: {count} patients with {diagnosis}", markup=False, highlight=False)
    console.print(f"{cache.name}: {len(cache)} patients in {out}", markup=False, highlight=False)


def read(
    files: Annotated[
        list[Path] | None, typer.Argument(help="DX or CR files whose header says the view.")
    ] = None,
    ap: Annotated[Path | None, typer.Option(help="The AP radiograph: DICOM, PNG or JPEG.")] = None,
    lateral: Annotated[Path | None, typer.Option(help="The lateral one: DICOM, PNG or JPEG.")] = None,
    model: Annotated[
        str, typer.Option(help="A trained model's folder, or the project's champion.")
    ] = CHAMPION,
) -> None:
    """Ask whether a fracture on one patient's radiographs is malignant or benign. Not for clinical use."""
    from spine_fracture.classification.radiograph import RadiographModel
    from spine_fracture.dicom.radiograph import read_radiograph
    from spine_fracture.errors import InputError
    from spine_fracture.radiography import TASK, Radiograph, View

    found: dict[View, Radiograph] = {}
    given = [*((path, None) for path in files or ()), (ap, View.AP), (lateral, View.LATERAL)]
    for path, view in given:
        if path is not None:
            radiograph = read_radiograph(path, view)
            if radiograph.view in found:
                raise InputError(f"There are two {radiograph.view} radiographs: give one of each view.")
            found[radiograph.view] = radiograph
    if not found:
        raise InputError("There is nothing to read: give files, or --ap and --lateral.")
    if model == CHAMPION:
        from spine_fracture.cohort.project import open_project
        from spine_fracture.promotion import open_registry

        folder = open_registry(open_project()).champion(TASK).folder
    else:
        folder = Path(model)
    reader = RadiographModel.load(folder)
    opinion = reader.read(found.get(View.AP), found.get(View.LATERAL))
    console = Console()
    console.print(
        f"{' and '.join(found)}: malignant {opinion.malignant:.0%}, benign {1 - opinion.malignant:.0%} "
        f"(given that there is a fracture; {reader.version})",
        markup=False,
        highlight=False,
    )
    console.print("Not for clinical use.", style="dim")
