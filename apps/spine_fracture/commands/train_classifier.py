"""``spine-fracture train classifier``: from real pictures and phantoms to a bundle with its card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from spine_fracture.commands.new_model import require_no_model
from spine_fracture.commands.retrain import DEFAULT_CONFIG as RETRAINING
from spine_fracture.commands.retrain import retrain_from_snapshot
from spine_fracture.errors import InputError, ModelFileError

if TYPE_CHECKING:
    from spine_fracture.lumbar_set import LumbarPatient
    from spine_fracture.training.classifiers.config import ClassifierTraining


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
    from spine_fracture.bundle import read_manifest
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
    trained = _is_trained(out, recipe)
    if not trained:
        require_no_model(out)
    patients = read_lumbar_set(data) if data else ()
    kept, made_of = cache or out / "cache", _made_of(recipe, patients)
    console = Console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:

        def crops(name: str, splits: tuple[Split, ...]) -> CropCache:
            folder = kept / f"{name}-{made_of}"
            try:
                return open_cache(folder)
            except InputError:
                tasks = {
                    what: bars.add_task(f"{what} ({name})", total=None)
                    for what in ("real pictures", "phantoms")
                }
                export_samples(
                    recipe,
                    data,
                    folder,
                    splits,
                    lambda what, done, of: bars.update(tasks[what], completed=done, total=of),
                )
                return open_cache(folder)

        learning = crops("learning", (Split.TRAIN, Split.VALIDATION))
        judging = crops("test", (Split.TEST,))
        if trained and read_manifest(out).training_patients != learning.patients:
            require_no_model(out)  # the model of these settings, but of other pictures
        if not trained:
            training = bars.add_task("training", total=recipe.schedule.epochs)

            def heard(epoch: Epoch) -> None:
                bars.console.print(str(EpochLine(recipe.name, epoch)), highlight=False, markup=False)
                bars.update(training, completed=epoch.number)

            train_classifier(learning, recipe, recipe.seed, out, progress=heard)
    if len(judging):
        manifest = add_metrics(out, judging, "test")
    else:
        manifest = read_manifest(out)
        console.print("There is no test sample: set samples.test_phantoms, or give --data, for test figures.")
    findings = None
    if data is not None:
        model = LevelClassifier.load(out, "torch")
        findings = findings_on_reference_boxes(model, patients, Resampling())
    write_card(out, manifest, findings)
    console.print(f"{manifest.version} is in {out}, its figures in MODEL_CARD.md. Not for clinical use.")


def _is_trained(out: Path, recipe: ClassifierTraining) -> bool:
    """Whether a training by ``recipe`` wrote its model to ``out`` but was ended before the card, its last."""
    from spine_fracture.bundle import read_manifest

    try:
        held = read_manifest(out)
    except ModelFileError:
        return False
    return held.config == recipe.model_dump(mode="json") and not (out / "MODEL_CARD.md").is_file()


def _made_of(recipe: ClassifierTraining, patients: Iterable[LumbarPatient]) -> str:
    """A name for the crops: with other samples, pictures, outlines or phantoms it is another.

    Phantoms count by what their file says, not by how it is called: it may be changed under its name.
    """
    from spine_fracture.configuration import load_config
    from spine_fracture.evaluation.seen import picture_hash
    from spine_fracture.lumbar_set import read_grey
    from spine_fracture.simulation.recipe import PhantomRecipe

    phantoms = load_config(recipe.samples.recipe, PhantomRecipe).model_dump_json()
    samples = recipe.samples.model_dump_json(exclude={"recipe"})
    facts = [samples, phantoms, recipe.network.margin, recipe.seed]
    digest = hashlib.sha256(json.dumps(facts).encode())
    for patient in patients:
        if not patient.findings:  # the others are left out whole
            pictures = picture_hash(read_grey(patient.t1), read_grey(patient.t2))
            outlines = [(vertebra.level, vertebra.polygon.tolist()) for vertebra in patient.vertebrae]
            boxes = [vertebra.box.as_tuple() for vertebra in patient.vertebrae]
            digest.update(json.dumps([patient.key, pictures, patient.t1_to_t2, outlines, boxes]).encode())
    return digest.hexdigest()[:16]
