"""A detector of lesions as a classifier of levels: what it finds on a level is its opinion of the level."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis
from spine_fracture.bundle import Manifest
from spine_fracture.classification.classifier import LevelOpinion
from spine_fracture.classification.crops import BoxOnSlice
from spine_fracture.detection.finder import BoxFinder, Found
from spine_fracture.detection.runtime import Runtime
from spine_fracture.detection.tasks import DetectionTask
from spine_fracture.errors import InputError, ModelFileError
from spine_fracture.imaging import Pixels
from spine_fracture.imaging import Sequence as MrSequence

_FloatArray = npt.NDArray[np.float64]
#: Overlap (IoU) from which a box found lies on the level: neighbouring bodies overlap less.
_ON_LEVEL = 0.3
#: A finding is seen on several slices; the mean of this many best scores is its score.
_SUPPORT = 3
#: How a study is looked at once more, to see how far answers move: magnification and contrast.
_MAGNIFIED, _DIMMED = 0.9, 0.87
_LESIONS = (Diagnosis.BENIGN_FRACTURE, Diagnosis.MALIGNANT)


class LesionDetector:
    """A :class:`spine_fracture.classification.model.LevelModel` over a detector of lesions.

    On each slice of a level, each class has the highest score that any box there gives it which lies on the
    level's box. A class's score of the level is the mean of its three best slices, or of as many as the
    level has. The probabilities are these scores, normalised; that of *normal* is the score of the class
    where the detector has it, and else what the surer lesion leaves of 1. Where nothing is found the
    level is normal.
    """

    def __init__(self, finder: BoxFinder) -> None:
        if finder.task is DetectionTask.KINDS:
            raise ModelFileError(
                f"{finder.manifest.name} finds kinds of vertebra: it cannot tell fractures from metastases."
            )
        self._finder = finder

    @classmethod
    def load(cls, folder: Path, runtime: Runtime = "openvino") -> Self:
        """From a bundle; raises :class:`ModelFileError` if it is damaged or no detector of lesions."""
        return cls(BoxFinder.load(folder, runtime))

    @property
    def manifest(self) -> Manifest:
        return self._finder.manifest

    @property
    def version(self) -> str:
        return self.manifest.version

    @property
    def sequences(self) -> tuple[MrSequence, ...]:
        return self._finder.sequences

    def classify(self, pixels: Pixels, levels: Sequence[Sequence[BoxOnSlice]]) -> tuple[LevelOpinion, ...]:
        """One opinion a level; see :class:`spine_fracture.classification.model.LevelModel`.

        ``augmentation_spread`` is how far the answer moves when the whole study is read smaller and dimmer.
        """
        if not levels:
            return ()
        pair = pixels[:, :2]
        own = self.probabilities(self._finder.find(pair), levels)
        moved = self.probabilities(self._finder.find(pair * np.float32(_DIMMED), _MAGNIFIED), levels)
        alone = [self._alone(pair, channel, own, levels) for channel in (0, 1)]
        return tuple(
            LevelOpinion(
                probabilities=_numbers(own[at]),
                t1_only=None if alone[0] is None else _numbers(alone[0][at]),
                t2_only=None if alone[1] is None else _numbers(alone[1][at]),
                augmentation_spread=float(np.abs(moved[at] - own[at]).sum() / 2),
            )
            for at in range(len(levels))
        )

    def probabilities(self, found: Sequence[Found], levels: Sequence[Sequence[BoxOnSlice]]) -> _FloatArray:
        """What was found said of each level, (levels, MODEL_CLASSES)."""
        if not all(levels):
            raise InputError("A level without a box cannot be classified: draw its box first.")
        classes = self._finder.task.classes
        rows = np.zeros((len(levels), len(MODEL_CLASSES)))
        for row, boxes in zip(rows, levels, strict=True):
            scores = _joined(found, boxes, len(classes))
            for name, score in zip(classes, scores, strict=True):
                row[MODEL_CLASSES.index(Diagnosis(name))] = score
            normal = MODEL_CLASSES.index(Diagnosis.NORMAL)
            if Diagnosis.NORMAL not in classes or not scores.any():
                row[normal] = 1 - max(row[MODEL_CLASSES.index(lesion)] for lesion in _LESIONS)
        return np.asarray(rows / rows.sum(axis=1, keepdims=True))

    def _alone(
        self, pair: Pixels, channel: int, own: _FloatArray, levels: Sequence[Sequence[BoxOnSlice]]
    ) -> _FloatArray | None:
        """The answers to one sequence; None where the study or the detector lacks it."""
        if channel not in self._finder.channels or not pair[:, channel].any():
            return None
        others = [at for at in self._finder.channels if at != channel]
        if not pair[:, others].any():
            return own
        without = pair.copy()
        without[:, others] = 0
        return self.probabilities(self._finder.find(without), levels)


def _joined(found: Sequence[Found], boxes: Sequence[BoxOnSlice], classes: int) -> _FloatArray:
    """Scores (classes,) in [0, 1] of one level over its slices."""
    slices = np.zeros((len(boxes), classes))
    for row, (index, box) in zip(slices, boxes, strict=True):
        for each in found:
            if each.slice_index == index and each.box.iou(box) >= _ON_LEVEL:
                np.maximum(row, each.scores, out=row)
    best = np.sort(slices, axis=0)[-_SUPPORT:]
    return np.asarray(best.mean(axis=0))


def _numbers(row: _FloatArray) -> tuple[float, ...]:
    return tuple(float(value) for value in row)
