"""The family of Chou et al.: radiographs, EfficientNet-B0, single models and ensembles.

The study's down-sampling is taken as that of the majority class (426 patients with metastases against 1088
with benign fractures): every model resizes its pictures, so that could not tell models apart, while the
text names some models as being with it. Each member of an ensemble draws its own share of the majority, so
that members differ though their input is the same.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from spine_fracture.bundle import Manifest
from spine_fracture.classification.radiograph import (
    CLASSES,
    NAME,
    RadiographConfig,
    RadiographModel,
    RadiographNetwork,
    RadiographOpinion,
    member_network,
    start_from_imagenet,
)
from spine_fracture.errors import InputError
from spine_fracture.evaluation.answers import MALIGNANT_OR_BENIGN, Cost, Part, Question, together
from spine_fracture.evaluation.statistics.calibration import fit_temperature
from spine_fracture.radiography import TASK
from spine_fracture.training.cohorts.cases import answers_of
from spine_fracture.training.cohorts.radiograph_cache import VIEWS, RadiographCache, RadiographLabel
from spine_fracture.training.cohorts.radiograph_cohort import RADIOGRAPHS
from spine_fracture.training.cohorts.radiograph_figures import view_figures
from spine_fracture.training.learning.checkpoint import Checkpointing
from spine_fracture.training.learning.loop import Fitted, fit
from spine_fracture.training.learning.schedule import Schedule
from spine_fracture.training.systems.family import Family, Judged, SystemConfig, Tell, Trained, telling
from spine_fracture.training.systems.radiograph_task import (
    LabelledRadiographs,
    RadiographChanges,
    RadiographTask,
    labelled,
)
from spine_fracture.training.systems.trained_bundle import write_trained


class ChouTraining(SystemConfig):
    """A whole recipe. ``down_sampling`` of the majority class; ``imagenet`` is a local safetensors file for
    every member's trunk, or none.
    """

    answerable: ClassVar[tuple[Question, ...]] = (MALIGNANT_OR_BENIGN,)

    schedule: Schedule = Schedule(epochs=60, steps=60, batch=32, learning_rate=1e-3, patience=12)

    network: RadiographConfig = RadiographConfig()
    changes: RadiographChanges = RadiographChanges()
    down_sampling: bool = True
    imagenet: Path | None = None


def open_radiographs(cohort: Path) -> RadiographCache:
    """The radiographs of a cohort's folder; raises :class:`InputError` when it has none."""
    if not (cohort / RADIOGRAPHS).is_dir():
        raise InputError(
            f"The cohort {cohort.name} has no radiographs: make them with `spine-fracture cohort "
            f"simulate-radiographs --out {cohort}`."
        )
    return RadiographCache(cohort / RADIOGRAPHS)


def member_task(config: ChouTraining, cohort: Path, seed: int, member: int = 0) -> RadiographTask:
    """One member's network and the patients that it learns from and is stopped by."""
    cache, pictures = open_radiographs(cohort), config.network.pictures
    teaching, judging = (labelled(cache, part, pictures) for part in (None, Part.VALIDATION))
    return _task(config, teaching, judging, seed, member)


def _task(
    config: ChouTraining,
    teaching: LabelledRadiographs,
    judging: LabelledRadiographs,
    seed: int,
    member: int,
) -> RadiographTask:
    form = config.network.members[member]
    if config.down_sampling:
        teaching = teaching.down_sampled(np.random.default_rng((seed, member)))
    torch.manual_seed(_member_seed(seed, member))
    network = member_network(form, config.network)
    if config.imagenet is not None:
        start_from_imagenet(network, config.imagenet)
    return RadiographTask(network, form, teaching, judging, config.changes)


def _member_seed(seed: int, member: int) -> int:
    return 1000 * seed + member


def train(config: ChouTraining, cohort: Path, out: Path, seed: int, tell: Tell) -> Trained:
    """Train the members one after the other, each keeping its epoch of the lowest validation loss."""
    cache, pictures = open_radiographs(cohort), config.network.pictures
    teaching, judging = (labelled(cache, part, pictures) for part in (None, Part.VALIDATION))
    runs: list[Fitted] = []
    for member, form in enumerate(config.network.members):
        told = telling(f"{config.name}, member {member + 1} ({form})", tell)
        task = _task(config, teaching, judging, seed, member)
        checkpoint = Checkpointing(out / f"member-{member}.pt", config, cache.name)
        runs.append(fit(task, config.schedule, _member_seed(seed, member), checkpoint, told))
    state = {f"members.{k}.{name}": value for k, run in enumerate(runs) for name, value in run.state.items()}
    manifest = Manifest(
        name=config.name,
        task=TASK,
        family=NAME,
        architecture=config.network.model_dump(mode="json"),
        classes=CLASSES,
        config=config.model_dump(mode="json"),
        seed=seed,
        training_patients=(*teaching.patients, *judging.patients),
    )
    manifest = manifest.model_copy(
        update={"temperature": _temperature(manifest, config.network, state, judging)}
    )
    trained = write_trained(out, state, _together([run.cost for run in runs]), manifest)
    for member in range(len(runs)):
        (out / f"member-{member}.pt").unlink(missing_ok=True)
    return trained


def _temperature(
    manifest: Manifest,
    config: RadiographConfig,
    state: dict[str, torch.Tensor],
    judging: LabelledRadiographs,
) -> float:
    """What makes the joined probabilities of the validation patients mean what they say; 1 without any."""
    if not len(judging.malignant):
        return 1.0
    network = RadiographNetwork(config)
    network.load_state_dict(state)
    model = RadiographModel(manifest, config, network)
    opinions = model.read_prepared({view: judging.pixels[:, at] for at, view in enumerate(VIEWS)})
    return fit_temperature(np.log([opinion.probabilities for opinion in opinions]), judging.malignant)


def _together(costs: list[Cost]) -> Cost:
    """The cost of members that were trained one after the other, and how far they went."""
    whole = together(costs)
    assert whole is not None  # that of each is known
    return whole.model_copy(
        update={
            "epochs": sum(cost.epochs for cost in costs),
            "best_epoch": max(cost.best_epoch for cost in costs),
            "stopped": "; ".join(dict.fromkeys(cost.stopped for cost in costs)),
        }
    )


def answer(bundle: Path, cohort: Path) -> Judged:
    """One case a patient: the views are joined by the mean of their probabilities where members read one.

    A case's ``sequences`` are the views that were read, its ``note`` says whether any finding is visible on
    them (``sign`` or ``no sign``). What single views say, where members read them, is in the ``figures``.
    """
    model, cache = RadiographModel.load(bundle), open_radiographs(cohort)
    views = tuple(v for v in VIEWS if any(v in read for f in model.config.members for read in f.readings))
    asked: list[tuple[RadiographLabel, RadiographOpinion]] = []
    for part in Part:
        patients = labelled(cache, part, model.config.pictures)
        pictures = {view: patients.pixels[:, at] for at, view in enumerate(VIEWS)}
        opinions = model.read_prepared(pictures) if len(patients) else ()
        by_key = {label.patient: label for label in cache.labels}
        asked += [(by_key[key], opinion) for key, opinion in zip(patients.patients, opinions, strict=True)]
    whole = answers_of(
        model.manifest,
        cache.name,
        MALIGNANT_OR_BENIGN.name,
        CLASSES,
        (label.case(views, opinion.probabilities) for label, opinion in asked),
    )
    figures: dict[str, float] = {}
    for view in views if len(views) > 1 else ():
        cases = tuple(label.case((view,), o.views[view]) for label, o in asked if view in o.views)
        figures |= view_figures(view, whole.model_copy(update={"cases": cases}))
    return Judged(whole.model_copy(update={"figures": figures}))


FAMILY = Family(NAME, "classifier", ChouTraining, train, answer, member_task, reads=("radiographs",))
