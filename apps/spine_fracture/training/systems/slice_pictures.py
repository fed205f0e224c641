"""Crops of single slices with two classes: what families that read one slice at a time learn from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spine_fracture.anatomy import Diagnosis
from spine_fracture.classification.crops import channel_reference, middle, slice_crops
from spine_fracture.errors import InputError, InsufficientEvidenceError
from spine_fracture.evaluation.answers import Part, Question
from spine_fracture.imaging import Pixels
from spine_fracture.imaging import Sequence as MrSequence
from spine_fracture.training.cohorts.study_cache import CHANNELS, CachedStudy, LevelLabel, StudyCache

#: Which levels are learnt from.
Wanted = Callable[[LevelLabel], bool]


@dataclass(frozen=True, eq=False)
class SlicePictures:
    """``crops`` (n, sequences, side, side) uint8; ``references`` (n, sequences, 2), centre and spread of the
    signal of the study's vertebrae in [0, 1]; ``positive`` (n,); ``patients`` (n,) keys.
    """

    crops: npt.NDArray[np.uint8]
    references: npt.NDArray[np.float32]
    positive: npt.NDArray[np.bool_]
    patients: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.crops)

    def only(self, index: npt.NDArray[np.intp]) -> SlicePictures:
        """These of them, in this order."""
        return SlicePictures(
            self.crops[index],
            self.references[index],
            self.positive[index],
            tuple(self.patients[at] for at in index),
        )


def acquired(cache: StudyCache, sequences: Sequence[MrSequence], part: Part | None) -> tuple[int, ...]:
    """Which studies of ``part`` (None: those that teach) have all these sequences: others are left out."""
    return tuple(at for at, label in enumerate(cache.labels) if label.part is part and label.has(sequences))


def channels(study: CachedStudy, sequences: Sequence[MrSequence]) -> Pixels:
    """(slices, sequences, rows, columns) in [0, 1]."""
    chosen = [CHANNELS.index(sequence) for sequence in sequences]
    return np.asarray(study.pixels[:, chosen], np.float32) / np.float32(255)


def cut_pictures(
    cache: StudyCache,
    studies: Collection[int],
    sequences: Sequence[MrSequence],
    size: int,
    margin: float,
    wanted: Wanted,
    positive: Sequence[Diagnosis],
    room: float = 1.0,
) -> SlicePictures:
    """A crop of every slice that shows the finding of a ``wanted`` level (of a normal one, of every slice).

    Squares of ``margin`` times the longer side of the box, resized to ``size`` pixels, both ``room`` times as
    large so that they can be moved. References are of squares without room, of all levels: as models take
    them of a study that they read.
    """
    side = round(size * room)
    crops = [np.zeros((0, len(sequences), side, side), np.uint8)]
    references = [np.zeros((0, len(sequences), 2), np.float32)]
    answers: list[bool] = []
    patients: list[str] = []
    for at in studies:
        label = cache.labels[at]
        levels = [level for level in label.levels if wanted(level) and any(level.shown)]
        if not levels:
            continue
        study = channels(cache[at], sequences)
        keys = [box for level in label.levels for box in middle(level.on_slices(), 1)]
        reference = channel_reference(slice_crops(study, keys, size, margin)[:, 0], margin)
        for level in levels:
            cut = slice_crops(study, level.shown_on_slices(), side, margin * room)[:, 0]
            crops.append(np.rint(cut * 255).astype(np.uint8))
            references.append(np.tile(np.stack([reference.centre, reference.spread], 1), (len(cut), 1, 1)))
            answers += [level.diagnosis in positive] * len(cut)
            patients += [label.patient] * len(cut)
    return SlicePictures(
        np.concatenate(crops), np.concatenate(references), np.array(answers, dtype=bool), tuple(patients)
    )


def refuse_unacquired(cache: StudyCache, sequences: Sequence[MrSequence]) -> None:
    """Raise :class:`InputError` where no study that teaches has all these sequences."""
    if not acquired(cache, sequences, None):
        raise InputError(
            f"No training study of {cache.name} has {' and '.join(sequences)}: take another cohort, or set "
            "other sequences in the configuration."
        )


def refuse_one_sided(cache: StudyCache, positive: npt.NDArray[np.bool_], question: Question) -> None:
    """Raise :class:`InsufficientEvidenceError` where only one answer to ``question`` is there to learn."""
    for side, there in ((question.positive, positive.any()), (question.negative, (~positive).any())):
        if not there:
            raise InsufficientEvidenceError(
                f"No training patient of {cache.name} has a level that is {' or '.join(side)}: add such "
                "patients, since one class alone cannot be learnt."
            )


def balanced_draw(
    positive: npt.NDArray[np.bool_], rng: np.random.Generator, size: int
) -> npt.NDArray[np.intp]:
    """``size`` indices, each class as often as the other in expectation."""
    sick, well = np.flatnonzero(positive), np.flatnonzero(~positive)
    place = rng.random(size)
    return np.where(
        rng.random(size) < 0.5, sick[(place * len(sick)).astype(int)], well[(place * len(well)).astype(int)]
    )
