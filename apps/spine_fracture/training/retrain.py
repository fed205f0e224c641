"""Going on from a champion with what readers said: crops of reads, and phantoms to remember by.

A network trained on a few reads alone forgets what they do not show. Phantoms of all classes are
replayed beside them (rehearsal: Robins 1995, Connection Science 7:123) and decide when to stop.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from spine_fracture.bundle import Manifest, read_manifest, verified_manifest
from spine_fracture.classification.classifier import FAMILY
from spine_fracture.classification.sixchannel import SixChannelConfig
from spine_fracture.cohort.splits import Split
from spine_fracture.configuration import Config, load_config
from spine_fracture.errors import InputError, ModelFileError
from spine_fracture.simulation.recipe import PhantomRecipe
from spine_fracture.training.classifiers.cache import CropCache, joined, open_cache
from spine_fracture.training.classifiers.config import Augmentation, Balance, ClassifierTraining, Samples
from spine_fracture.training.classifiers.samples import Tell, export_samples
from spine_fracture.training.classifiers.training import train_classifier
from spine_fracture.training.gate import GateConfig
from spine_fracture.training.learning.loop import Progress
from spine_fracture.training.learning.schedule import Schedule


class RetrainingConfig(Config):
    """How a champion is trained on, and what the gate asks. The network is always the champion's."""

    name: str
    samples: Samples
    balance: Balance
    schedule: Schedule
    augmentation: Augmentation = Augmentation()
    gate: GateConfig = GateConfig()


def recipe_for(champion: Path, config: RetrainingConfig) -> ClassifierTraining:
    """The training recipe with the network of the champion's bundle."""
    return ClassifierTraining(
        name=config.name,
        network=network_of(champion),
        samples=config.samples,
        augmentation=config.augmentation,
        balance=config.balance,
        schedule=config.schedule,
    )


def network_of(bundle: Path) -> SixChannelConfig:
    """How the network of a six_channel bundle reads a level.

    Raises :class:`ModelFileError` for a model of another family, which learns from whole studies of a
    cohort and not from crops of reads.
    """
    manifest = read_manifest(bundle)
    if manifest.family != FAMILY:
        raise ModelFileError(
            f"The serving model {manifest.version} is a {manifest.family}, and only a {FAMILY} is trained on "
            "from reads: train it anew from a cohort (spine-fracture cohort cache, then spine-fracture train "
            "system), or let a six_channel model serve (spine-fracture models promote NAME)."
        )
    return SixChannelConfig.model_validate(manifest.architecture)


def replay_folder(recipe: ClassifierTraining, cache: Path) -> Path:
    """Where the phantom crops of this recipe are kept: named by all they depend on.

    That is what the file of the phantoms says, not how it is called: it may be changed under its name.
    """
    phantoms = load_config(recipe.samples.recipe, PhantomRecipe).model_dump_json()
    samples = recipe.samples.model_dump_json(exclude={"recipe"})
    depends = f"{samples}{phantoms}{recipe.network.margin}"
    return cache / f"replay-{hashlib.sha256(depends.encode()).hexdigest()[:16]}"


def replay_cache(recipe: ClassifierTraining, cache: Path, tell: Tell | None = None) -> CropCache:
    """Phantom crops for this recipe, made when they are not there yet."""
    folder = replay_folder(recipe, cache)
    try:
        return open_cache(folder)
    except InputError:
        export_samples(recipe, None, folder, (Split.TRAIN, Split.VALIDATION), tell)
        return open_cache(folder)


def fine_tune(
    reads: CropCache,
    replay: CropCache,
    champion: Path,
    recipe: ClassifierTraining,
    out: Path,
    progress: Progress = lambda epoch: None,
) -> Manifest:
    """Train on from the champion's bundle and write the new one to ``out``.

    A run that was cut short goes on from its checkpoint in ``out``.
    """
    caches = joined((replay, reads))
    return train_classifier(caches, recipe, recipe.seed, out, champion, progress).manifest


def is_trained(out: Path) -> bool:
    """Whether a training in ``out`` came to its end: its bundle is there, whole."""
    try:
        verified_manifest(out)
    except ModelFileError:
        return False
    return True


def discard(out: Path) -> None:
    """Remove the working folder of a training whose result is registered."""
    shutil.rmtree(out, ignore_errors=True)
