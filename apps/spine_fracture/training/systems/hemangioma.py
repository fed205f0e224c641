"""The family of the hemangioma study: one small network a sequence and tumour, hemangioma or metastasis.

The paper draws one picture set, down-samples the larger class once and splits the pictures 60 to 40. Here the
larger class of the training pictures is down-sampled once too, evenly over its patients, and who teaches and
who judges is the cohort's split by patient.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
import torch

from spine_fracture.anatomy import Diagnosis
from spine_fracture.classification.hemangioma import (
    CLASSES,
    HemangiomaModel,
    OneSequence,
    RegionConfig,
    RegionNetwork,
    RegionReading,
)
from spine_fracture.classification.hemangioma import FAMILY as NAME
from spine_fracture.evaluation.answers import METASTASIS_OR_HEMANGIOMA, Part, Question
from spine_fracture.imaging import Sequence as MrSequence
from spine_fracture.training.cohorts.cases import answers_of, case_of
from spine_fracture.training.cohorts.study_cache import LevelLabel, StudyCache
from spine_fracture.training.learning.schedule import Schedule
from spine_fracture.training.systems.family import Family, Judged, SystemConfig, Tell, Trained, trained_as
from spine_fracture.training.systems.slice_pictures import (
    SlicePictures,
    acquired,
    cut_pictures,
    refuse_one_sided,
    refuse_unacquired,
)
from spine_fracture.training.systems.slice_task import SliceTask
from spine_fracture.training.systems.trained_bundle import classifier_manifest, fit_on_cohort, write_trained

Tumour = Literal["all", "breast", "lung", "prostate", "renal", "myeloma"]
#: Adam at an even rate; the rate itself, how long an epoch is, how patient it is, and that a running mean of
#: the weights is kept, are ours.
_SCHEDULE = Schedule(
    epochs=40, steps=50, batch=16, optimiser="adam", learning_rate=1e-4, weight_decay=0, warm_up=0, final=1,
    patience=40,
)  # fmt: skip


class HemangiomaTraining(SystemConfig):
    """A whole recipe. ``tumour`` is the primary whose metastases are told from hemangiomas."""

    answerable: ClassVar[tuple[Question, ...]] = (METASTASIS_OR_HEMANGIOMA,)

    schedule: Schedule = _SCHEDULE
    sequence: OneSequence = MrSequence.T1
    tumour: Tumour = "all"
    network: RegionConfig = RegionConfig()

    def is_about(self, level: LevelLabel) -> bool:
        """Whether it is a hemangioma, or a metastasis of the tumour."""
        if level.diagnosis is Diagnosis.MALIGNANT:
            return self.tumour in ("all", level.primary)
        return level.diagnosis is Diagnosis.HEMANGIOMA


def region_task(config: HemangiomaTraining, cohort: Path, seed: int) -> SliceTask:
    """The network and the regions that it learns from and is stopped by."""
    cache = StudyCache(cohort / "studies")
    refuse_unacquired(cache, (config.sequence,))

    def regions(part: Part | None) -> SlicePictures:
        return cut_pictures(
            cache,
            acquired(cache, (config.sequence,), part),
            (config.sequence,),
            config.network.size,
            config.network.margin,
            config.is_about,
            METASTASIS_OR_HEMANGIOMA.positive,
        )

    teaching = regions(None)
    refuse_one_sided(cache, teaching.positive, METASTASIS_OR_HEMANGIOMA)
    torch.manual_seed(seed)
    return SliceTask(
        RegionNetwork(config.network),
        down_sampled(teaching, np.random.default_rng((seed, 1))),
        regions(Part.VALIDATION),
        lambda crops, references, generator: crops.float() / 255,
        lambda crops, references: crops.float() / 255,
    )


def down_sampled(pictures: SlicePictures, rng: np.random.Generator) -> SlicePictures:
    """As many of either class. Of the larger one each patient gives one at random, then each who has more a
    second, and so on: patients who show a lesion on many slices go short before any patient is left out.
    """
    sides = [np.flatnonzero(pictures.positive), np.flatnonzero(~pictures.positive)]
    count = min(len(side) for side in sides)
    kept = [_evenly(rng.permutation(side), pictures.patients)[:count] for side in sides]
    return pictures.only(np.sort(np.concatenate(kept)))


def _evenly(index: npt.NDArray[np.intp], patients: Sequence[str]) -> npt.NDArray[np.intp]:
    """``index`` (n,) with the first picture of each of the ``patients`` before any second one."""
    seen = Counter[str]()
    turns = np.zeros(len(index), dtype=int)
    for place, at in enumerate(index):
        turns[place] = seen[patients[at]]
        seen[patients[at]] += 1
    return index[np.argsort(turns, kind="stable")]


def train(config: HemangiomaTraining, cohort: Path, out: Path, seed: int, tell: Tell) -> Trained:
    """Train on the regions of ``cohort``, keep the epoch of the lowest validation loss."""
    task = region_task(config, cohort, seed)
    fitted = fit_on_cohort(task, config, cohort, out, seed, tell)
    reading = RegionReading(sequence=config.sequence, network=config.network)
    manifest = classifier_manifest(config, seed, reading, CLASSES, task.patients)
    return write_trained(out, fitted.state, fitted.cost, manifest)


def answer(bundle: Path, cohort: Path) -> Judged:
    """What the model answers to every hemangioma and every metastasis of its tumour, seen on the slices that
    show the lesion: as in the paper, somebody marked it. Studies without its sequence are left out.
    """
    model, cache = HemangiomaModel.load(bundle), StudyCache(cohort / "studies")
    config = trained_as(model.manifest, HemangiomaTraining)
    cases = []
    for part in Part:
        for at in acquired(cache, (model.sequence,), part):
            label = cache.labels[at]
            asked = [level for level in label.levels if config.is_about(level) and any(level.shown)]
            if not asked:
                continue
            pixels = np.asarray(cache[at].pixels, np.float32) / np.float32(255)
            chances = model.metastasis(pixels, [level.shown_on_slices() for level in asked])
            cases += [
                case_of(label, level, (1 - chance, chance))
                for level, chance in zip(asked, chances, strict=True)
            ]
    return Judged(answers_of(model.manifest, cache.name, METASTASIS_OR_HEMANGIOMA.name, CLASSES, cases))


FAMILY = Family(NAME, "classifier", HemangiomaTraining, train, answer, region_task)
