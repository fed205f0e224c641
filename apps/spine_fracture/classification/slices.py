"""What networks read that look at one slice of a vertebra at a time, whatever the sequences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis
from spine_fracture.classification.classifier import LevelOpinion, Probabilities
from spine_fracture.classification.crops import BoxOnSlice
from spine_fracture.errors import InputError
from spine_fracture.geometry import FloatArray, PixelBox
from spine_fracture.imaging import CHANNELS, Pixels
from spine_fracture.imaging import Sequence as MrSequence

#: Other views of a slice that a model's steadiness is judged by: shift in shares of the box, scale.
_VIEWS = ((0.06, -0.05, 1.1), (-0.05, 0.06, 0.93))


def channels_of(pixels: Pixels, sequences: Sequence[MrSequence]) -> Pixels:
    """(slices, sequences, rows, columns) from pixels whose channels are in the order of CHANNELS.

    Raises :class:`InputError` when one of the sequences was not acquired.
    """
    if pixels.ndim != 4 or not 2 <= pixels.shape[1] <= len(CHANNELS):
        raise InputError(f"A study needs pixels (slices, 2 to 4, rows, columns), got {pixels.shape}.")
    chosen = [CHANNELS.index(sequence) for sequence in sequences]
    for sequence, channel in zip(sequences, chosen, strict=True):
        if channel >= pixels.shape[1] or not pixels[:, channel].any():
            raise InputError(
                f"This model reads {' and '.join(sequences)}, and the study has no {sequence}: choose a "
                "model for the sequences that were acquired."
            )
    return np.asarray(pixels[:, chosen], dtype=np.float32)


def refuse_without_boxes(levels: Sequence[Sequence[BoxOnSlice]]) -> None:
    """Raise :class:`InputError` where a level has no box."""
    if not all(levels):
        raise InputError("A level without a box cannot be classified: draw its box first.")


def moved_views(box: PixelBox) -> tuple[PixelBox, ...]:
    """The square round the box as other readers might have drawn it."""
    side = max(box.width, box.height)
    return tuple(box.shifted(dx * side, dy * side).square(scale) for dx, dy, scale in _VIEWS)


def two_sided_opinions(
    positive: Diagnosis, negative: Diagnosis, chances: FloatArray, spread: FloatArray
) -> tuple[LevelOpinion, ...]:
    """What a model that knows two of MODEL_CLASSES says of levels: ``chances`` (levels,) are of ``positive``,
    ``spread`` (levels,) how far moved views go from them.
    """

    def over_classes(chance: float) -> Probabilities:
        known = {positive: chance, negative: 1.0 - chance}
        return tuple(known.get(diagnosis, 0.0) for diagnosis in MODEL_CLASSES)

    return tuple(
        LevelOpinion(over_classes(chance), t1_only=None, t2_only=None, augmentation_spread=unsteady)
        for chance, unsteady in zip(chances.tolist(), spread.tolist(), strict=True)
    )
