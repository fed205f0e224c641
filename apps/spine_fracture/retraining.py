"""From the reads of a snapshot to a candidate and the gate's decision.

Training sees reads of training patients; reads of validation patients help to choose the epoch;
only the gate sees those of the locked test patients.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spine_fracture.anatomy import most_probable
from spine_fracture.classification.crops import middle
from spine_fracture.classification.loading import load_level_model
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.snapshots import LATEST, SnapshotRead, find_snapshot, read_snapshot
from spine_fracture.cohort.splits import Split
from spine_fracture.configuration import load_config
from spine_fracture.errors import InsufficientEvidenceError
from spine_fracture.promotion import pass_gate
from spine_fracture.read_studies import agreed, disputes, read_studies
from spine_fracture.registry import ModelVersion, Registry
from spine_fracture.training.classifiers.cache import (
    CropCache,
    CropCacheWriter,
    LabelledLevel,
    LabelledStudy,
    open_cache,
)
from spine_fracture.training.classifiers.samples import Tell
from spine_fracture.training.gate import GateDecision, TestLevel, decide
from spine_fracture.training.learning.loop import Progress
from spine_fracture.training.retrain import (
    RetrainingConfig,
    discard,
    fine_tune,
    is_trained,
    network_of,
    recipe_for,
    replay_cache,
    replay_folder,
)

TASK = "classification"


@dataclass(frozen=True)
class Retraining:
    """What came of it. ``left_out`` says which reads could not be used, and why."""

    snapshot: str
    candidate: ModelVersion
    champion: ModelVersion
    decision: GateDecision
    training_reads: int
    left_out: tuple[str, ...]


def retrain(
    project: Project,
    registry: Registry,
    config: str = "training/classifier",
    snapshot: str = LATEST,
    tell: Tell | None = None,
    progress: Progress = lambda epoch: None,
) -> Retraining:
    """Train the champion on with a snapshot's reads, register the candidate, and let the gate decide.

    ``tell`` hears how far preparing and judging are, ``progress`` every epoch. One that was cut short goes
    on where it was, and does not train again once it has. Raises :class:`InsufficientEvidenceError` when no
    read can be trained on.
    """
    rules = load_config(config, RetrainingConfig)
    content = read_snapshot(project, snapshot)
    with project.session() as session:
        frozen = find_snapshot(session, snapshot)
    champion = registry.champion(TASK)
    recipe = recipe_for(champion.folder, rules)
    left_out = disputes(content)
    teaching = agreed(content.training, left_out)
    choosing = agreed([r for r in content.evaluation if r.split is Split.VALIDATION], left_out)
    judging = agreed([r for r in content.evaluation if r.split is Split.TEST], left_out)
    replayed = replay_folder(recipe, project.settings.cache_folder)
    out = _working_folder(project, frozen.sha256, champion, rules, replayed.name)
    reads = _export(project, teaching, choosing, champion.folder, out / "reads", left_out, tell)
    if not is_trained(out):
        replay = replay_cache(recipe, project.settings.cache_folder, tell)
        fine_tune(reads, replay, champion.folder, recipe, out, progress)
    taught = len(set(reads.column("level")[reads.where(held_out=False)].tolist()))
    candidate = registry.register_candidate(
        out,
        {
            "snapshot": frozen.sha256,
            "champion": champion.name,
            "code": content.code_version,
            "config": config,
        },
    )
    levels = _judge(project, judging, champion, candidate, left_out, tell)
    decision = decide(levels, champion=champion.name, candidate=candidate.name, config=rules.gate)
    after = pass_gate(project, registry, candidate, decision)
    discard(out)
    return Retraining(frozen.name, candidate, after, decision, taught, tuple(left_out))


def _export(
    project: Project,
    teaching: Sequence[SnapshotRead],
    choosing: Sequence[SnapshotRead],
    champion: Path,
    folder: Path,
    left_out: list[str],
    tell: Tell | None,
) -> CropCache:
    """The crops of read levels; those of validation patients are held out."""
    network = network_of(champion)
    with CropCacheWriter(folder, network.margin) as writer:
        for reads, held_out in ((teaching, False), (choosing, True)):
            for study in read_studies(project, reads, left_out, "reads", tell):
                levels = tuple(
                    LabelledLevel(middle(boxes, network.slices), truth)
                    for boxes, truth in zip(study.boxes, study.truths, strict=True)
                )
                writer.add(
                    LabelledStudy(study.pictures, study.pair.pixels, levels), "read", held_out=held_out
                )
    cache = open_cache(folder)
    if not len(cache.where(held_out=False)):
        raise InsufficientEvidenceError(
            "No read of this snapshot can be trained on: "
            + ("; ".join(left_out) or "read some levels of training patients first")
            + "."
        )
    return cache


def _judge(
    project: Project,
    reads: Sequence[SnapshotRead],
    champion: ModelVersion,
    candidate: ModelVersion,
    left_out: list[str],
    tell: Tell | None,
) -> list[TestLevel]:
    """Both models' answers to the read levels of the test patients, from the same pixels and boxes.

    A patient who taught either, or said when it stopped, judges neither and goes to ``left_out``. They are
    known by key or pictures, for a champion may come from elsewhere, where patients were divided otherwise.
    """
    models = (load_level_model(champion.folder), load_level_model(candidate.folder))
    taught = {
        known: version.name
        for version in (candidate, champion)  # which has the last word on those whom the candidate inherits
        for known in version.manifest.training_patients
    }
    answers: list[TestLevel] = []
    seen = set()
    for study in read_studies(project, reads, left_out, "test patients", tell):
        if known := taught.keys() & {study.patient, study.pictures}:
            seen.add(study.patient)
            which = next(read.study_uid for read in study.reads if read is not None)
            left_out.append(f"study {which}: its patient taught {taught[min(known)]}, and so judges no model")
            continue
        first, second = (model.classify(study.pair.pixels, study.boxes) for model in models)
        answers += [
            TestLevel(
                study.patient, truth, most_probable(old.probabilities), most_probable(new.probabilities)
            )
            for truth, old, new in zip(study.truths, first, second, strict=True)
            if truth is not None
        ]
    return [answer for answer in answers if answer.patient not in seen]  # of their other studies too


def _working_folder(
    project: Project, snapshot: str, champion: ModelVersion, rules: RetrainingConfig, replay: str
) -> Path:
    """The same for the same work, so that a job resumed after a crash finds its checkpoint or its bundle.

    ``replay`` names the phantoms, of which the rules know only the name of their recipe.
    """
    work = hashlib.sha256(f"{snapshot}{champion.manifest.digest}{rules.model_dump_json()}{replay}".encode())
    return project.settings.cache_folder / f"retraining-{work.hexdigest()[:16]}"
