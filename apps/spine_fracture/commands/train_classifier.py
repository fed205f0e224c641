"""``spine-fracture train classifier``: from real pictures and phantoms to a bundle with its card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from spine_fracture.commands.new_model import require_no_model
from spine_fracture.commands.retrain import DEFAULT_CONFIG as RETRAINING
from spine_fracture.commands.retrain import retrain_from_snapshot
from spine_fracture.errors import InputError


def register(group: typer.Typer) -> None:
    group.command("classifier")(train_classifier_command)


def train_classifier_command(
    out: Annotated[
        Path | None, typer.Option(help="Folder for the weights, the manifest and the card.")
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(
            help="A YAML file or a name under configs/. Default: classifiers/shipped, "
            "or training/classifier with --snapshot."
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Real pairs laid out like the lumbar set; without it phantoms alone.")
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(help="Where crops are kept; taken up again when complete. Default: in --out."),
    ] = None,
    snapshot: Annotated[
        str | None,
        typer.Option(help="Train the champion on with these reads: a snapshot's name, or latest."),
    ] = None,
) -> None:
    """Train a level classifier on simulated findings, or the champion on with the reads of a snapshot.

    Not for clinical use.
    """
    if snapshot is not None:
        if out is not None or data is not None or cache is not None:
            raise InputError("--snapshot goes with --config alone: the candidate is kept in the registry.")
        retrain_from_snapshot(snapshot, config or RETRAINING)
        return
    if out is None:
        raise InputError("Say where the model goes with --out, or train on reads with --snapshot latest.")
    require_no_model(out)
    from spine_fracture.classification.classifier import LevelClassifier
    from spine_fracture.cohort.splits import Split
    from spine_fracture.configuration import load_config
    from spine_fracture.evaluation.statistics.intervals import Resampling
    from spine_fracture.lumbar_set import read_lumbar_set
    from spine_fracture.training.classifiers.cache import CropCache, open_cache
    from spine_fracture.training.classifiers.card import findings_on_reference_boxes, write_card
    from spine_fracture.training.classifiers.config import ClassifierTraining
    from spine_fracture.training.classifiers.samples import export_samples
    from spine_fracture.training.classifiers.training import add_metrics, train_classifier
    from spine_fracture.training.learning.loop import Epoch
    from spine_fracture.training.systems.family import EpochLine

    recipe = load_config(config or "classifiers/shipped", ClassifierTraining)
    folder = cache or out / "cache"
    console = Console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:

        def crops(name: str, splits: tuple[Split, ...]) -> CropCache:
            try:
                return open_cache(folder / name)
            except InputError:
                tasks = {
                    what: bars.add_task(f"{what} ({name})", total=None)
                    for what in ("real pictures", "phantoms")
                }
                export_samples(
                    recipe,
                    data,
                    folder / name,
                    splits,
                    lambda what, done, of: bars.update(tasks[what], completed=done, total=of),
                )
                return open_cache(folder / name)

        learning = crops("learning", (Split.TRAIN, Split.VALIDATION))
        judging = crops("test", (Split.TEST,))
        training = bars.add_task("training", total=recipe.schedule.epochs)

        def heard(epoch: Epoch) -> None:
            bars.console.print(str(EpochLine(recipe.name, epoch)), highlight=False, markup=False)
            bars.update(training, completed=epoch.number)

        train_classifier(learning, recipe, recipe.seed, out, progress=heard)
    manifest = add_metrics(out, judging, "test")
    findings = None
    if data is not None:
        model = LevelClassifier.load(out, "torch")
        findings = findings_on_reference_boxes(model, read_lumbar_set(data), Resampling())
    write_card(out, manifest, findings)
    console.print(f"{manifest.version} is in {out}, its figures in MODEL_CARD.md. Not for clinical use.")
