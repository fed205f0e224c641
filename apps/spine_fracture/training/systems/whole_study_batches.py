"""Which levels, slices and sequences of which studies make a batch, and how it is packed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from spine_fracture.classification.packing import Packing
from spine_fracture.classification.whole_study_crops import spread
from spine_fracture.training.classifiers.config import Augmentation
from spine_fracture.training.systems.whole_study_augmentation import Changes
from spine_fracture.training.systems.whole_study_cache import StudyRows, WholeStudyCache

_T1_AND_T2 = 2


@dataclass(frozen=True, eq=False)
class StudyBatch:
    """Stored ``crops`` (crops, 4, 96, 96) uint8 of some studies, packed as the network reads them, the
    ``references`` (crops, 4, 2) and sequences ``present`` (crops, 4) of each, and the ``labels`` (levels,).
    ``changes`` is None for a plain view.
    """

    crops: Tensor
    references: Tensor
    present: Tensor
    slices: Packing
    levels: Packing
    labels: Tensor
    changes: Changes | None

    def to(self, device: torch.device) -> StudyBatch:
        return StudyBatch(
            self.crops.to(device, non_blocking=True),
            self.references.to(device, non_blocking=True),
            self.present.to(device, non_blocking=True),
            self.slices.to(device),
            self.levels.to(device),
            self.labels.to(device, non_blocking=True),
            None if self.changes is None else self.changes.to(device),
        )


@dataclass(frozen=True, eq=False)
class StudyView:
    """What is seen of one study: the ``rows`` of its crops in the cache, how many a level (``slices``), the
    ``labels`` of the levels, and the sequences ``present`` with the usual signal of each.
    """

    rows: npt.NDArray[np.int64]
    slices: tuple[int, ...]
    labels: npt.NDArray[np.int64]
    reference: npt.NDArray[np.float32]
    present: npt.NDArray[np.bool_]


def whole_view(study: StudyRows, slices: int) -> StudyView:
    rows = [spread(int(there), slices) for there in study.slices]
    return _seen(study, np.arange(len(study.slices)), rows, study.present)


def drawn_view(
    study: StudyRows, slices: int, hidden: float, how: Augmentation, rng: np.random.Generator
) -> StudyView:
    """Some levels are hidden, and of the others sometimes all slices but one."""
    kept = rng.random(len(study.slices)) >= rng.uniform(0, hidden)
    kept[rng.integers(len(kept))] = True
    wanted = 1 if rng.random() < how.lone_slice else slices
    rows = [spread(int(there), wanted, rng.random(wanted)) for there in study.slices]
    return _seen(study, np.flatnonzero(kept), rows, _acquired(study.present, how.missing, rng))


def _acquired(
    present: npt.NDArray[np.bool_], missing: float, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """Of the sequences ``present``, T1 or T2 left out, each with the chance ``missing`` but never both, and
    each of the others with a half. A study is never left without T1 and T2 where it has one.
    """
    chance, others = rng.random(), rng.random(len(present) - _T1_AND_T2) < 0.5
    left = present.copy()
    left[_T1_AND_T2:] &= others
    without = 0 if chance < missing else 1
    if chance < 2 * missing and left[1 - without]:
        left[without] = False
    return left


def _seen(
    study: StudyRows,
    levels: npt.NDArray[np.intp],
    rows: Sequence[npt.NDArray[np.intp]],
    present: npt.NDArray[np.bool_],
) -> StudyView:
    starts = np.cumsum([0, *study.slices])
    index = np.concatenate([starts[at] + rows[at] for at in levels])
    return StudyView(
        study.start + index,
        tuple(len(rows[at]) for at in levels),
        study.labels[levels],
        study.reference,
        present,
    )


def joined(cache: WholeStudyCache, views: Sequence[StudyView]) -> StudyBatch:
    """Studies as one batch, seen plainly."""
    each = [len(view.rows) for view in views]
    return StudyBatch(
        crops=torch.from_numpy(cache.crops(np.concatenate([view.rows for view in views]))),
        references=torch.from_numpy(np.repeat([view.reference for view in views], each, axis=0)),
        present=torch.from_numpy(np.repeat([view.present for view in views], each, axis=0)),
        slices=Packing.of([count for view in views for count in view.slices]),
        levels=Packing.of([len(view.slices) for view in views]),
        labels=torch.from_numpy(np.concatenate([view.labels for view in views])),
        changes=None,
    )
