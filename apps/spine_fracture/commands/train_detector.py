"""``spine-fracture train detector``: from pictures to a bundle with its card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from spine_fracture.commands.new_model import require_no_model


def register(group: typer.Typer) -> None:
    group.command("detector")(train_detector_command)


def train_detector_command(
    out: Annotated[Path, typer.Option(help="Folder for the weights, the manifest and the card.")],
    config: Annotated[str, typer.Option(help="A YAML file or a name under configs/.")] = "detectors/yolo11n",
    data: Annotated[
        Path | None, typer.Option(help="Real pairs laid out like the lumbar set; without it phantoms alone.")
    ] = None,
    work: Annotated[
        Path | None,
        typer.Option(help="Where pictures and checkpoints are kept; a run in it goes on. Default: in --out."),
    ] = None,
) -> None:
    """Train a vertebra detector from scratch and score it on held-out patients. Not for clinical use."""
    from spine_fracture.configuration import load_config
    from spine_fracture.training.detectors.config import DetectorConfig
    from spine_fracture.training.detectors.training import train_and_report
    from spine_fracture.training.learning.loop import Epoch
    from spine_fracture.training.systems.family import EpochLine

    settings = load_config(config, DetectorConfig)
    require_no_model(out)
    console = Console()
    command = f"spine-fracture train detector --config {config} --out OUT" + (
        " --data lumbar_t1t2" if data else ""
    )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        tasks: dict[str, TaskID] = {}

        def made(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=of)
            bars.update(tasks[what], completed=done)

        def ended(epoch: Epoch) -> None:
            bars.console.print(str(EpochLine(settings.name, epoch)), highlight=False, markup=False)
            made("epochs", epoch.number, epoch.of)

        manifest = train_and_report(settings, data, out, work or out / "work", command, made, ended)
    console.print(f"{manifest.version} is in {out}, its figures in MODEL_CARD.md. Not for clinical use.")
