"""``spine-fracture phantom``: a cohort of phantom patients as DICOM, and its truth beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import track

if TYPE_CHECKING:
    from spine_fracture.simulation.recipe import PhantomRecipe


def register(cli: typer.Typer) -> None:
    cli.command("phantom")(phantom)


def phantom(
    out: Annotated[Path, typer.Option(help="Folder for studies/CENTRE/PATIENT and truth/.")],
    config: Annotated[
        str, typer.Option(help="Recipe: a name under configs/ or a YAML file.")
    ] = "phantoms/small",
) -> None:
    """Make phantom studies that anybody can have. A run that was cut short goes on where it stopped."""
    from spine_fracture.configuration import load_config
    from spine_fracture.simulation.recipe import PhantomRecipe

    recipe = load_config(config, PhantomRecipe)
    _claim(out, recipe)
    seeds = range(recipe.first_seed, recipe.first_seed + recipe.patients)
    console = Console(stderr=True)
    made = sum(_make(seed, recipe, out) for seed in track(seeds, "Making phantoms", console=console))
    console.print(f"{made} studies made, {len(seeds) - made} were there; studies in {out / 'studies'}")


def _claim(out: Path, recipe: PhantomRecipe) -> None:
    """One folder, one recipe: the recipe is kept beside what it made."""
    from spine_fracture.bundle import write_atomically
    from spine_fracture.errors import InputError

    path, text = out / "recipe.json", recipe.model_dump_json(indent=1) + "\n"
    if path.is_file() and path.read_text() != text:
        raise InputError(f"{out} holds phantoms of another recipe: choose another folder or empty this one.")
    write_atomically(path, text.encode())


def _make(seed: int, recipe: PhantomRecipe, out: Path) -> bool:
    """Write one study unless its truth, which is written last, is there already."""
    from spine_fracture.dicom.write import PatientTags, uid_from, write_series
    from spine_fracture.simulation.phantom import patient_key
    from spine_fracture.simulation.study import simulate_study
    from spine_fracture.simulation.truth import truth_of, write_truth

    if (out / "truth" / f"{patient_key(seed)}.json").is_file():
        return False
    study = simulate_study(seed, recipe)
    study_uid = uid_from(recipe.name, study.patient_key, "study")
    tags = PatientTags(study.patient_key, study_uid, study_description=f"Phantom spine, {study.coverage}")
    folder = out / "studies" / study.centre / study.patient_key
    for number, volume in enumerate(study.volumes, start=1):
        write_series(volume, tags, folder / f"{number}-{volume.sequence}", series_number=number)
    write_truth(truth_of(study, study_uid), out / "truth")
    return True
