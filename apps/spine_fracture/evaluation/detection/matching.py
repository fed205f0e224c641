"""Which predicted boxes are right: matched to the reference as COCO does, one to one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spine_fracture.evaluation.boxes import BoxAnswer, PictureAnswer
from spine_fracture.evaluation.statistics.intervals import FloatArray, IntArray, patient_indices

#: Overlaps from which a box is right: 0.5, 0.55 .. 0.95 (COCO, Lin et al. 2014).
OVERLAPS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))


@dataclass(frozen=True, eq=False)
class Matches:
    """All predicted boxes of a set of pictures, n of them, and what there is to find.

    ``hits`` (overlaps, n) says which are right at each of :data:`OVERLAPS`; ``patient`` (n,) and
    ``label`` (n,) are numbers, ``picture`` (n,) the place of the picture. ``wanted`` (patients, labels)
    counts reference boxes, ``pictures`` (patients,) pictures.
    """

    score: FloatArray
    hits: npt.NDArray[np.bool_]
    patient: IntArray
    label: IntArray
    picture: IntArray
    wanted: FloatArray
    pictures: FloatArray

    @property
    def found(self) -> npt.NDArray[np.bool_]:
        """Right at an overlap of 0.5."""
        return np.asarray(self.hits[0])


def match(pictures: Sequence[PictureAnswer]) -> Matches:
    """Match the boxes of each picture by label, those with the highest score first.

    Predictions of labels that no reference of these pictures has are left out: the reference does not
    say whether they are there.
    """
    labels = reference_labels(pictures)
    owners = patient_indices([picture.patient for picture in pictures])
    patients = int(owners.max(initial=-1)) + 1
    wanted = np.zeros((patients, len(labels)))
    rows: list[tuple[float, int, int, int]] = []
    hits: list[npt.NDArray[np.bool_]] = []
    for place, (picture, owner) in enumerate(zip(pictures, owners.tolist(), strict=True)):
        for number, label in enumerate(labels):
            reference = [box for box in picture.reference if box.label == label]
            predicted = sorted((b for b in picture.predicted if b.label == label), key=lambda box: -box.score)
            wanted[owner, number] += len(reference)
            rows += [(box.score, owner, number, place) for box in predicted]
            hits.append(_hits(predicted, reference))
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return Matches(
        score=table[:, 0],
        hits=np.concatenate(hits, axis=1) if hits else np.zeros((len(OVERLAPS), 0), dtype=bool),
        patient=table[:, 1].astype(np.int64),
        label=table[:, 2].astype(np.int64),
        picture=table[:, 3].astype(np.int64),
        wanted=wanted,
        pictures=np.bincount(owners, minlength=patients).astype(np.float64),
    )


def reference_labels(pictures: Sequence[PictureAnswer]) -> tuple[str, ...]:
    """The labels that any of these pictures has in its reference, by name."""
    return tuple(sorted({box.label for picture in pictures for box in picture.reference}))


def _hits(predicted: Sequence[BoxAnswer], reference: Sequence[BoxAnswer]) -> npt.NDArray[np.bool_]:
    """(overlaps, predicted): each, in this order, takes the free reference box that it overlaps most."""
    hits = np.zeros((len(OVERLAPS), len(predicted)), dtype=bool)
    if not predicted or not reference:
        return hits
    overlaps = _overlaps(predicted, reference)
    for row, needed in zip(hits, OVERLAPS, strict=True):
        free = overlaps.copy()
        for at, shares in enumerate(free):
            best = int(shares.argmax())
            if shares[best] >= needed:
                row[at] = True
                free[:, best] = -1
    return hits


def _overlaps(first: Sequence[BoxAnswer], second: Sequence[BoxAnswer]) -> FloatArray:
    """Intersection over union, (first, second)."""
    import torch
    from torchvision.ops import box_iou

    one, other = (torch.tensor([box.box for box in boxes], dtype=torch.float64) for boxes in (first, second))
    return np.asarray(box_iou(one, other).numpy(), dtype=np.float64)
