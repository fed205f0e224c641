"""``spine-fracture regions``: pictures annotated in VGG Image Annotator in, studies for it out."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from spine_fracture.anatomy import Level
from spine_fracture.imaging import CHANNELS, Sequence

group = typer.Typer(help="Regions of VGG Image Annotator.", no_args_is_help=True)
_SequenceOption = Annotated[Sequence, typer.Option(help=f"One of {', '.join(CHANNELS)}.")]


def register(cli: typer.Typer) -> None:
    group.command("import")(import_command)
    group.command("export")(export_command)
    cli.add_typer(group, name="regions")


def import_command(
    file: Annotated[Path, typer.Argument(help="A project or exported annotations of VIA 2, JSON.")],
    images: Annotated[Path, typer.Option(help="Folder of the annotated PNG or JPEG pictures.")],
    out: Annotated[Path, typer.Option(help="Folder of the cohort that is made.")],
    sequence: _SequenceOption,
    level: Annotated[
        str | None, typer.Option(help="The vertebra of regions without the attribute level.")
    ] = None,
) -> None:
    """Make a cohort to train on from annotated pictures, each a study or one of its slices.

    A region says what it is by its attribute diagnosis: hemangioma, metastasis or metastasis:breast (lung,
    prostate, renal, myeloma), normal, benign_fracture or other. The attribute patient of a picture, else its
    file's name, is kept as the patient's key: it must not identify anybody. Pictures of a patient with the
    same attribute study are the slices of one study, ordered by the number slice; of a region, shown: no
    says that the slice shows the vertebra but not its finding.
    """
    from spine_fracture.training.cohorts.naming import CohortNaming
    from spine_fracture.training.cohorts.regions import import_regions
    from spine_fracture.via import read_via

    unnamed = None if level is None else Level.parse(level)
    pictures = read_via(file)
    naming = CohortNaming(file.stem, hashlib.sha256(file.read_bytes()).hexdigest())
    count = import_regions(pictures, images, out, naming, sequence, unnamed)
    studies = "1 study" if count == 1 else f"{count} studies"
    Console().print(f"{studies} in {out}", markup=False, highlight=False)


def export_command(
    cohort: Annotated[Path, typer.Argument(help="Folder of a cohort.")],
    out: Annotated[Path, typer.Option(help="Folder for the pictures and regions.json.")],
    sequence: _SequenceOption,
) -> None:
    """Write the training studies of a cohort as pictures with regions that VIA opens."""
    from spine_fracture.training.cohorts.regions import export_regions
    from spine_fracture.training.cohorts.study_cache import StudyCache

    count = export_regions(StudyCache(cohort / "studies"), out, sequence)
    pictures = "1 picture" if count == 1 else f"{count} pictures"
    Console().print(f"{pictures} and regions.json in {out}", markup=False, highlight=False)
