"""A whole-study network as it is served: opinions of all levels of a study at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import torch

from spine_fracture.anatomy import MODEL_CLASSES
from spine_fracture.bundle import Manifest
from spine_fracture.classification.classifier import VIEWS, LevelOpinion, dimmed, moved_box, softmax
from spine_fracture.classification.crops import BoxOnSlice, SignalReference, slice_crops, standardise
from spine_fracture.classification.networks import load_network
from spine_fracture.classification.packing import Packing
from spine_fracture.classification.whole_study import WholeStudyConfig, WholeStudyNetwork
from spine_fracture.classification.whole_study_crops import (
    all_channels,
    head_to_foot,
    in_slice_order,
    spread,
    study_reference,
)
from spine_fracture.imaging import CHANNELS, Pixels
from spine_fracture.imaging import Sequence as MrSequence

FAMILY = "whole_study"
_FloatArray = npt.NDArray[np.float64]
_BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class _Read:
    """What is read of a study: ``pixels`` with all channels, of which ``present`` (4,) were acquired;
    ``boxes`` level by level, head to foot, which is the ``order`` of the levels as they were given.
    """

    pixels: Pixels
    present: _BoolArray
    order: tuple[int, ...]
    boxes: tuple[tuple[BoxOnSlice, ...], ...]
    reference: SignalReference

    @property
    def counts(self) -> tuple[int, ...]:
        return tuple(len(boxes) for boxes in self.boxes)

    def as_given(self, rows: _FloatArray) -> _FloatArray:
        """Rows (..., levels, classes) in the order in which the levels were given."""
        given = np.empty_like(rows)
        given[..., self.order, :] = rows
        return given


class WholeStudyClassifier:
    """A trained network with its crops and temperature: a
    :class:`~spine_fracture.classification.model.LevelModel`.
    """

    def __init__(self, manifest: Manifest, config: WholeStudyConfig, network: WholeStudyNetwork) -> None:
        self.manifest = manifest
        self.config = config
        self._network = network.eval()

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a bundle, its sha256 checked; raises :class:`ModelFileError` when it does not fit."""
        return cls(*load_network(folder, FAMILY, MODEL_CLASSES, WholeStudyConfig, WholeStudyNetwork))

    @property
    def version(self) -> str:
        return self.manifest.version

    @property
    def sequences(self) -> tuple[MrSequence, ...]:
        return CHANNELS

    def classify(self, pixels: Pixels, levels: Sequence[Sequence[BoxOnSlice]]) -> tuple[LevelOpinion, ...]:
        """One opinion a level. Give all levels of the study at once, in any order: each is judged in the
        light of the others.

        ``pixels`` (slices, 2 to 4, rows, columns) in [0, 1], channels as in CHANNELS. Answers to one
        sequence, and to moved views, are to the middle slice of every level.
        """
        if not levels:
            return ()
        study = self._read(pixels, levels)
        config, n = self.config, len(levels)
        crops = self._crops(study)
        at_key = np.cumsum((0, *study.counts[:-1])) + np.array(study.counts) // 2
        keys = [boxes[len(boxes) // 2] for boxes in study.boxes]
        views = [
            standardise(
                slice_crops(
                    study.pixels, [(i, moved_box(box, view)) for i, box in keys], config.size, config.margin
                )[:, 0],
                dimmed(study.reference, view[-1]),
            )
            for view in VIEWS
        ]
        only = np.eye(len(CHANNELS), dtype=bool)[:2]
        alone = [crops[at_key] * one[:, None, None] for one in only]
        presence = [study.present] * len(crops) + [one & study.present for one in only for _ in range(n)]
        presence += [study.present] * (n * len(VIEWS))
        tokens = self._tokens(np.concatenate([crops, *alone, *views]), np.array(presence))
        whole = study.as_given(self._probabilities(tokens[: len(crops)], study.counts, (n,)))
        # The middle slices as they are, in one sequence alone, and moved: each a study of one slice a level.
        single = torch.cat([tokens[at_key], tokens[len(crops) :]])
        kinds = len(single) // n
        answers = self._probabilities(single, (1,) * len(single), (n,) * kinds)
        own, t1, t2, *moved = study.as_given(answers.reshape(kinds, n, -1))
        apart = np.max([np.abs(view - own).sum(axis=1) / 2 for view in moved], axis=0)
        return tuple(
            LevelOpinion(
                probabilities=tuple(whole[at].tolist()),
                t1_only=tuple(t1[at].tolist()) if study.present[0] else None,
                t2_only=tuple(t2[at].tolist()) if study.present[1] else None,
                augmentation_spread=float(apart[at]),
            )
            for at in range(n)
        )

    def together_and_alone(
        self, pixels: Pixels, levels: Sequence[Sequence[BoxOnSlice]]
    ) -> tuple[_FloatArray, _FloatArray]:
        """What :meth:`classify` says of the levels, (levels, 4), without what it says beside; and the same of
        each level as if it were alone in its study, but for the usual signal, which is the whole study's.

        How much worse the second is tells what the network takes from the other levels.
        """
        study = self._read(pixels, levels)
        crops = self._crops(study)
        tokens = self._tokens(crops, np.tile(study.present, (len(crops), 1)))
        together, alone = (
            study.as_given(self._probabilities(tokens, study.counts, packed))
            for packed in ((len(levels),), (1,) * len(levels))
        )
        return together, alone

    def _read(self, pixels: Pixels, levels: Sequence[Sequence[BoxOnSlice]]) -> _Read:
        whole = all_channels(pixels)
        order = head_to_foot(levels)
        ordered = [in_slice_order(levels[at]) for at in order]
        return _Read(
            pixels=whole,
            present=whole.any(axis=(0, 2, 3)),
            order=order,
            boxes=tuple(
                tuple(boxes[at] for at in spread(len(boxes), self.config.slices)) for boxes in ordered
            ),
            reference=study_reference(whole, ordered, self.config.margin),
        )

    def _crops(self, study: _Read) -> Pixels:
        boxes = [box for boxes in study.boxes for box in boxes]
        cut = slice_crops(study.pixels, boxes, self.config.size, self.config.margin)[:, 0]
        return standardise(cut, study.reference)

    def _tokens(self, crops: Pixels, present: _BoolArray) -> torch.Tensor:
        with torch.inference_mode():
            return self._network.tokens(torch.from_numpy(crops), torch.from_numpy(present))

    def _probabilities(
        self, tokens: torch.Tensor, slices: Sequence[int], levels: Sequence[int]
    ) -> _FloatArray:
        with torch.inference_mode():
            logits = self._network.answers(tokens, Packing.of(slices), Packing.of(levels)).levels
        return softmax(logits.double().numpy() / self.manifest.temperature)
