"""From the reads of a snapshot to a candidate and the gate's decision.

Training sees reads of training patients; reads of validation patients help to choose the epoch;
only the gate sees those of the locked test patients.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sqlalchemy.orm import Session

from spine_fracture.anatomy import Diagnosis, most_probable
from spine_fracture.classification.classifier import LevelClassifier
from spine_fracture.classification.crops import BoxOnSlice, middle
from spine_fracture.cohort.models import LevelSource
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.snapshots import LATEST, SnapshotRead, find_snapshot, read_snapshot
from spine_fracture.cohort.splits import Split
from spine_fracture.cohort.studies import files_of, find_study, load_pair
from spine_fracture.configuration import load_config
from spine_fracture.errors import InputError, InsufficientEvidenceError
from spine_fracture.evaluation.seen import picture_hash
from spine_fracture.files import without_names
from spine_fracture.geometry import PixelBox
from spine_fracture.imaging import PairedStack, Pixels
from spine_fracture.promotion import pass_gate
from spine_fracture.registry import ModelVersion, Registry
from spine_fracture.training.classifier_cache import (
    CropCache,
    CropCacheWriter,
    LabelledLevel,
    LabelledStudy,
    open_cache,
)
from spine_fracture.training.classifier_samples import Tell
from spine_fracture.training.gate import GateDecision, TestLevel, decide
from spine_fracture.training.loop import Progress
from spine_fracture.training.retrain import (
    RetrainingConfig,
    discard,
    fine_tune,
    network_of,
    recipe_for,
    replay_cache,
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


@dataclass(frozen=True, eq=False)
class ReadStudy:
    """One study's pair with its levels on the pair's grid; ``truths`` is None where nobody answered."""

    patient: str
    pictures: str
    pixels: Pixels
    boxes: tuple[tuple[BoxOnSlice, ...], ...]
    truths: tuple[Diagnosis | None, ...]


def retrain(
    project: Project,
    registry: Registry,
    config: str = "training/classifier",
    snapshot: str = LATEST,
    tell: Tell | None = None,
    progress: Progress = lambda epoch: None,
) -> Retraining:
    """Train the champion on with a snapshot's reads, register the candidate, and let the gate decide.

    ``tell`` hears how far preparing and judging are, ``progress`` every epoch. Raises
    :class:`InsufficientEvidenceError` when no read can be trained on.
    """
    rules = load_config(config, RetrainingConfig)
    content = read_snapshot(project, snapshot)
    with project.session() as session:
        frozen = find_snapshot(session, snapshot)
    champion = registry.champion(TASK)
    recipe = recipe_for(champion.folder, rules)
    left_out: list[str] = []
    teaching = agreed(content.training, left_out)
    choosing = agreed([r for r in content.evaluation if r.split is Split.VALIDATION], left_out)
    judging = agreed([r for r in content.evaluation if r.split is Split.TEST], left_out)
    out = _working_folder(project, frozen.sha256, champion, rules)
    reads = _export(project, teaching, choosing, champion.folder, out / "reads", left_out, tell)
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
    levels = _judge(project, judging, champion.folder, candidate.folder, left_out, tell)
    decision = decide(levels, champion=champion.name, candidate=candidate.name, config=rules.gate)
    after = pass_gate(project, registry, candidate, decision)
    discard(out)
    return Retraining(frozen.name, candidate, after, decision, taught, tuple(left_out))


def agreed(reads: Sequence[SnapshotRead], left_out: list[str]) -> tuple[SnapshotRead, ...]:
    """One read a level: the reference standard, or what all its readers say.

    Levels on which readers disagree wait for adjudication and are added to ``left_out``.
    """
    by_level: dict[int, list[SnapshotRead]] = defaultdict(list)
    for read in reads:
        by_level[read.level_id].append(read)
    chosen = []
    for level_id, given in by_level.items():
        standard = [read for read in given if read.reference]
        if standard or len({read.diagnosis for read in given}) == 1:
            chosen.append((standard or given)[-1])
        else:
            left_out.append(f"level {level_id}: its readers disagree, adjudicate it")
    return tuple(chosen)


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
                writer.add(LabelledStudy(study.pictures, study.pixels, levels), "read", held_out=held_out)
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
    champion: Path,
    candidate: Path,
    left_out: list[str],
    tell: Tell | None,
) -> list[TestLevel]:
    """Both models' answers to the read levels of the test patients, from the same pixels and boxes."""
    models = (LevelClassifier.load(champion), LevelClassifier.load(candidate))
    answers = []
    for study in read_studies(project, reads, left_out, "test patients", tell):
        first, second = (model.classify(study.pixels, study.boxes) for model in models)
        answers += [
            TestLevel(
                study.patient, truth, most_probable(old.probabilities), most_probable(new.probabilities)
            )
            for truth, old, new in zip(study.truths, first, second, strict=True)
            if truth is not None
        ]
    return answers


def read_studies(
    project: Project, reads: Sequence[SnapshotRead], left_out: list[str], what: str, tell: Tell | None = None
) -> Iterator[ReadStudy]:
    """The studies of these reads, one after the other; one that cannot be read goes to ``left_out``."""
    by_study: dict[str, dict[int, SnapshotRead]] = defaultdict(dict)
    for read in reads:
        by_study[read.study_uid][read.level_id] = read
    for number, (study_uid, of_study) in enumerate(by_study.items(), 1):
        with project.session() as session:
            try:
                study = _read_study(session, study_uid, of_study)
            except InputError as error:
                files = [
                    path for series in find_study(session, study_uid).series for path in files_of(series)
                ]
                left_out.append(f"study {study_uid}: {without_names(str(error), files)}")
                continue
        yield study
        if tell:
            tell(what, number, len(by_study))


def _read_study(session: Session, study_uid: str, reads: dict[int, SnapshotRead]) -> ReadStudy:
    """Read levels with their boxes of the snapshot; the others, which show the usual signal, as they are."""
    pair = load_pair(session, study_uid)
    grid = pair.reference.series_uid
    boxes: dict[int, tuple[BoxOnSlice, ...]] = {
        level.id: tuple((s.slice_index, s.box) for s in level.slices if s.series.uid == grid)
        for level in find_study(session, study_uid).levels
        if level.current and level.source is not LevelSource.REFERENCE
    }
    boxes |= {level_id: _boxes_of(read, grid) for level_id, read in reads.items()}
    kept = {level_id: on_grid for level_id, on_grid in boxes.items() if on_grid}
    if not kept.keys() & reads.keys():
        raise InputError("no level that was read has a box on the series that the models read")
    return ReadStudy(
        patient=next(iter(reads.values())).patient,
        pictures=_hash(pair),
        pixels=pair.pixels,
        boxes=tuple(kept.values()),
        truths=tuple(reads[level_id].diagnosis if level_id in reads else None for level_id in kept),
    )


def _boxes_of(read: SnapshotRead, grid: str) -> tuple[BoxOnSlice, ...]:
    """The level's boxes on the grid's slices, the reader's own in place of the detector's."""
    drawn = [read.drawn] if read.drawn is not None else []
    boxes = {s.slice_index: PixelBox(*s.box) for s in (*read.slices, *drawn) if s.series_uid == grid}
    return tuple(sorted(boxes.items(), key=lambda item: item[0]))


def _hash(pair: PairedStack) -> str:
    """The patient's pictures as :mod:`spine_fracture.evaluation.seen` knows them.

    Series that hold 8-bit grey levels as they are; others by their scaled pixels.
    """
    volumes = {
        volume.sequence: volume.pixels for volume in (pair.reference, pair.other) if volume is not None
    }
    raw = list(volumes.values())
    if len(raw) == 2 and all(p.min() >= 0 and p.max() <= 255 and not (p % 1).any() for p in raw):
        return picture_hash(*(volumes[name].astype(np.uint8) for name in sorted(volumes)))
    grey = np.rint(pair.pixels * 255).astype(np.uint8)
    return picture_hash(grey[:, 0], grey[:, 1])


def _working_folder(project: Project, snapshot: str, champion: ModelVersion, rules: RetrainingConfig) -> Path:
    """The same for the same work, so that a job resumed after a crash finds its checkpoint."""
    work = hashlib.sha256(f"{snapshot}{champion.manifest.sha256}{rules.model_dump_json()}".encode())
    return project.settings.cache_folder / f"retraining-{work.hexdigest()[:16]}"
