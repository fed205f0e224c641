"""What a served classifier says of the levels of a study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis
from spine_fracture.bundle import Manifest
from spine_fracture.classification.crops import (
    BoxOnSlice,
    SignalReference,
    level_crops,
    middle,
    signal_reference,
    standardise,
    without_sequence,
)
from spine_fracture.classification.networks import load_network
from spine_fracture.classification.runtime import Forward, RuntimeName, open_runtime
from spine_fracture.classification.sixchannel import SixChannelConfig, SixChannelNetwork
from spine_fracture.errors import InputError
from spine_fracture.geometry import PixelBox
from spine_fracture.imaging import Pixels
from spine_fracture.imaging import Sequence as MrSequence

FAMILY = "six_channel"
Probabilities = tuple[float, ...]
_FloatArray = npt.NDArray[np.float64]
_NORMAL = MODEL_CLASSES.index(Diagnosis.NORMAL)
#: Test-time views of a level's middle slice: shift in shares of the box, scale, gain of the signal.
VIEWS = ((0.06, -0.05, 1.1, 1.15), (-0.05, 0.06, 0.93, 0.87))


@dataclass(frozen=True)
class LevelOpinion:
    """What the classifier says of one level; probabilities follow MODEL_CLASSES and sum to 1.

    ``t1_only`` and ``t2_only`` are answers to one sequence alone, None where the study lacks it or the
    classifier gives no answer to one alone.
    ``augmentation_spread`` is the largest total variation distance, in [0, 1], between the middle
    slice and slightly moved and rescaled views of it.
    """

    probabilities: Probabilities
    t1_only: Probabilities | None
    t2_only: Probabilities | None
    augmentation_spread: float


class LevelClassifier:
    """A six-channel network with its crops, temperature and way of joining slices."""

    def __init__(self, manifest: Manifest, config: SixChannelConfig, forward: Forward) -> None:
        self.manifest = manifest
        self.config = config
        self._forward = forward

    @classmethod
    def load(cls, folder: Path, runtime: RuntimeName = "openvino") -> Self:
        """Read a bundle, its sha256 checked; raises :class:`ModelFileError` when it does not fit."""
        manifest, config, network = load_six_channel(folder)
        return cls(manifest, config, open_runtime(network, config.size, runtime))

    @property
    def version(self) -> str:
        return self.manifest.version

    @property
    def sequences(self) -> tuple[MrSequence, ...]:
        return MrSequence.T1, MrSequence.T2

    def classify(self, pixels: Pixels, levels: Sequence[Sequence[BoxOnSlice]]) -> tuple[LevelOpinion, ...]:
        """One opinion a level, all levels of a study in one forward pass.

        ``pixels`` (slices, 2, rows, columns) as in :class:`PairedStack`; each level is its boxes
        on slices of that grid. Give all levels of the study at once: a level is seen against the
        signal of the others.
        """
        if not levels:
            return ()
        if any(not boxes for boxes in levels):
            raise InputError("A level without a box cannot be classified: draw its box first.")
        batch, counts = self.study_batch(pixels, levels)
        probabilities = softmax(self.logits(batch) / self.manifest.temperature)
        present = pixels.any(axis=(0, 2, 3))
        total, n = sum(counts), len(levels)
        t1_alone, t2_alone, *views = (probabilities[at : at + n] for at in range(total, len(batch), n))
        opinions = []
        start = 0
        for index, count in enumerate(counts):
            slices = probabilities[start : start + count]
            own = slices[count // 2]
            opinions.append(
                LevelOpinion(
                    probabilities=_numbers(join_slices(slices, self.config.join)),
                    t1_only=_numbers(t1_alone[index]) if present[0] else None,
                    t2_only=_numbers(t2_alone[index]) if present[1] else None,
                    augmentation_spread=max(float(np.abs(view[index] - own).sum() / 2) for view in views),
                )
            )
            start += count
        return tuple(opinions)

    def logits(self, batch: Pixels) -> _FloatArray:
        """Uncalibrated answers (n, 4) to standardised crops (n, 6, size, size)."""
        return self._forward(batch).astype(np.float64)

    def study_batch(
        self, pixels: Pixels, levels: Sequence[Sequence[BoxOnSlice]]
    ) -> tuple[Pixels, tuple[int, ...]]:
        """Everything the network reads of a study, and how many slices each level has in it.

        In order: the slices of all levels; then for the middle slice of each level T1 alone, T2
        alone and the test-time views.
        """
        size, margin = self.config.size, self.config.margin
        read = [middle(boxes, self.config.slices) for boxes in levels]
        counts = tuple(len(boxes) for boxes in read)
        keys = [boxes[len(boxes) // 2] for boxes in read]
        crops = level_crops(pixels, [item for boxes in read for item in boxes], size, margin)
        at_key = np.cumsum((0, *counts[:-1])) + np.array(counts) // 2
        reference = signal_reference(crops[at_key], margin)
        slices = standardise(crops, reference)
        moved = level_crops(
            pixels, [(i, moved_box(box, view)) for view in VIEWS for i, box in keys], size, margin
        )
        views = [
            standardise(part, dimmed(reference, gain))
            for part, (*_, gain) in zip(np.split(moved, len(VIEWS)), VIEWS, strict=True)
        ]
        own = slices[at_key]
        parts = [slices, without_sequence(own, 1), without_sequence(own, 0), *views]
        return np.concatenate(parts), counts


def load_six_channel(folder: Path) -> tuple[Manifest, SixChannelConfig, SixChannelNetwork]:
    """A level classifier's bundle, its sha256 checked, as the network itself in evaluation mode.

    Raises :class:`ModelFileError` when the folder holds something else.
    """
    return load_network(folder, FAMILY, MODEL_CLASSES, SixChannelConfig, SixChannelNetwork)


def softmax(logits: _FloatArray) -> _FloatArray:
    """Row-wise softmax of (n, classes)."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def join_slices(probabilities: _FloatArray, how: str) -> _FloatArray:
    """(slices, classes) to (classes,): normalised mean log-probability, or the most abnormal slice."""
    if how == "highest":
        return np.asarray(probabilities[probabilities[:, _NORMAL].argmin()])
    return np.asarray(softmax(np.log(probabilities + 1e-9).mean(axis=0, keepdims=True))[0])


def moved_box(box: PixelBox, view: tuple[float, float, float, float]) -> PixelBox:
    """A box as one of VIEWS moves and scales it."""
    dx, dy, scale, _ = view
    side = max(box.width, box.height)
    return box.shifted(dx * side, dy * side).square(scale)


def dimmed(reference: SignalReference, gain: float) -> SignalReference:
    """The reference under which the same signal looks ``gain`` times as strong in contrast."""
    return SignalReference(reference.centre, reference.spread / np.float32(gain))


def _numbers(row: _FloatArray) -> Probabilities:
    return tuple(float(value) for value in row)
