"""A whole detector training: pictures, loop, bundle, scores, card. Resumable in its working folder."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import torch

from spine_fracture.bundle import Manifest, write_bundle
from spine_fracture.cohort.splits import Split, split_of
from spine_fracture.configuration import load_config
from spine_fracture.detection.detector import VertebraDetector
from spine_fracture.detection.families import build_network
from spine_fracture.detection.tasks import DetectionTask
from spine_fracture.errors import InputError
from spine_fracture.evaluation.seen import picture_hash
from spine_fracture.files import write_atomically
from spine_fracture.lumbar_set import LumbarPatient, read_grey, read_lumbar_set
from spine_fracture.simulation.recipe import PhantomRecipe
from spine_fracture.simulation.study import simulate_study
from spine_fracture.training.classifiers.samples import phantom_seeds
from spine_fracture.training.detectors.card import Trained, card, metrics_of
from spine_fracture.training.detectors.config import DetectorConfig, manifest_of
from spine_fracture.training.detectors.pictures import FORM, PictureCache, write_pictures
from spine_fracture.training.detectors.report import Given, PhantomReport, report_phantoms, report_real
from spine_fracture.training.detectors.sources import teaching_pictures, training_patients
from spine_fracture.training.detectors.task import BoxTask, source_chances
from spine_fracture.training.learning.checkpoint import Checkpointing
from spine_fracture.training.learning.loop import Progress, fit

#: Where in the work folder the model lies while it is scored.
_SCORED = "scored"


def train_and_report(
    config: DetectorConfig,
    data: Path | None,
    out: Path,
    work: Path,
    command: str,
    made: Callable[[str, int, int], None],
    ended: Progress,
) -> Manifest:
    """Train from scratch on ``data`` (laid out like the lumbar set, or None) and phantoms.

    ``work`` keeps the picture caches, the checkpoint, and the model while it is scored: a second call
    in it goes on where the first one stopped; :class:`InputError` where that was of other pictures or
    settings. Writes ``MODEL_CARD.md``, weights and manifest to ``out`` when all is done; ``command`` is
    what the card says makes them again.
    """
    if config.task is not DetectionTask.KINDS:
        raise InputError(
            f"{config.name} finds lesions: train it on a cohort, the lumbar set shows vertebrae alone."
        )
    patients = read_lumbar_set(data) if data else ()
    teaching = training_patients(data) if data else ()
    hashes = {patient.key: picture_hash(read_grey(patient.t1), read_grey(patient.t2)) for patient in patients}
    shown = _shown(config, teaching, hashes)
    cache = work / f"pictures-{shown}"
    if not (cache / "cache.json").is_file():
        write_pictures(cache, teaching_pictures(config, data, made))
    pictures = PictureCache(cache)
    torch.manual_seed(config.seed)
    network = build_network(config.family, config.architecture, len(config.task.classes), config.imagenet)
    task = BoxTask(network, pictures, source_chances(pictures.sources, config.sources), (), config)
    # The notes are printed on the card alone: with others the same training goes on.
    checkpoint = Checkpointing(work / "checkpoint.pt", config.model_copy(update={"notes": ""}), shown)
    fitted = fit(task, config.schedule, config.seed, checkpoint, ended)

    validation = [p for p in patients if split_of(p.key) is Split.VALIDATION]
    seen = tuple(sorted(hashes[patient.key] for patient in (*teaching, *validation)))
    manifest = manifest_of(config, config.seed, seen)
    # What is scored is what is shipped: the half-precision weights, in the serving runtime. It goes to
    # ``out`` last: a folder that holds a model is not trained into again, not even to score it.
    scored = work / _SCORED
    manifest = write_bundle(scored, fitted.state, manifest)
    detector = VertebraDetector.load(scored)
    real = {
        str(split): tuple(report_real(detector, chosen, given) for given in Given)
        for split in (Split.VALIDATION, Split.TEST)
        if (chosen := [p for p in patients if split_of(p.key) is split])
    }
    phantoms = _phantoms(detector, config)
    manifest = manifest.model_copy(update={"metrics": metrics_of(real, phantoms)})
    trained = Trained(
        manifest=manifest,
        config=config,
        command=command,
        pictures=Counter(pictures.sources),
        patients=Counter(str(split_of(p.key)) for p in patients),
        real=real,
        phantoms=phantoms,
        failing=tuple((hashes[k], r.given) for r in real.get(Split.TEST, ()) for k in r.failing),
        minutes=fitted.cost.seconds / 60,
    )
    write_atomically(out / "MODEL_CARD.md", card(trained).encode())
    manifest = write_bundle(out, fitted.state, manifest)
    shutil.rmtree(scored, ignore_errors=True)
    return manifest


def _phantoms(detector: VertebraDetector, config: DetectorConfig) -> PhantomReport | None:
    seeds = phantom_seeds(config.sources.recipe, Split.TEST, config.sources.held_out)
    if not seeds:
        return None
    recipe = load_config(config.sources.recipe, PhantomRecipe)
    still = recipe.model_copy(update={"patient_shift": 0.0, "extra_share": 0.0})
    return report_phantoms(detector, (simulate_study(seed, still) for seed in seeds))


def _shown(config: DetectorConfig, teaching: Iterable[LumbarPatient], hashes: Mapping[str, str]) -> str:
    """A name for the pictures that teach: with other patients, outlines, settings or recipe, or stored in
    another form, it is another.

    ``hashes`` are of the patients' pictures, by their keys.
    """
    recipe = load_config(config.sources.recipe, PhantomRecipe)
    how = config.sources.model_dump(include={"phantoms", "slices", "lesions"})
    settings = [FORM, config.size, config.seed, how, recipe.model_dump_json()]
    digest = hashlib.sha256(json.dumps(settings).encode())
    for patient in teaching:
        outlines = [(vertebra.level, vertebra.polygon.tolist()) for vertebra in patient.vertebrae]
        facts = [patient.key, hashes[patient.key], patient.t1_to_t2, outlines]
        digest.update(json.dumps(facts).encode())
    return digest.hexdigest()[:16]
