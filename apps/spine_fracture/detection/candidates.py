"""From a network's answers to the boxes of one slice: strongest first, overlapping ones averaged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spine_fracture.geometry import PixelBox

Floats = npt.NDArray[np.float32]
#: An answer below this gives no candidate, and of one picture no more than so many are looked at: an
#: untrained network answers everywhere.
LEAST_SCORE = 0.05
_MOST = 1000
#: Pixels that a box must measure at least a side.
_LEAST_SIDE = 1.0
#: Overlap (IoU) from which a weaker box is the same vertebra, and from which it is averaged in.
SAME_BODY = 0.5
AVERAGED = 0.7
#: Cells of a YOLO's three feature maps, in pixels.
STRIDES: tuple[int, ...] = (8, 16, 32)


@dataclass(frozen=True)
class Candidate:
    """A vertebra seen on one slice: ``box`` in pixels of the grid, and a score in [0, 1] a kind.

    ``vertebra`` is a presacral body of normal looks, ``abnormal`` an altered one, ``sacrum`` S1 and
    ``axis`` C2.
    """

    slice_index: int
    box: PixelBox
    vertebra: float
    abnormal: float
    sacrum: float
    axis: float

    @property
    def score(self) -> float:
        """How sure the network is that there is a body at all."""
        return max(self.vertebra, self.abnormal, self.sacrum, self.axis)


@dataclass(frozen=True, eq=False)
class Boxes:
    """Boxes of one picture: ``corners`` (n, 4) x0 y0 x1 y1 in pixels, ``scores`` (n, classes) in [0, 1]."""

    corners: Floats
    scores: Floats


class Cells(NamedTuple):
    """A YOLO's cells in its order: ``centres`` (cells, 2), (x, y), and ``strides`` (cells,), pixels."""

    centres: Floats
    strides: Floats


def cells(rows: int, columns: int) -> Cells:
    """The cells of a picture whose sides are multiples of 32."""
    centres, strides = [], []
    for stride in STRIDES:
        y, x = np.mgrid[: rows // stride, : columns // stride]
        centres.append((np.stack([x, y], -1).reshape(-1, 2) + 0.5) * stride)
        strides.append(np.full(len(centres[-1]), stride))
    return Cells(np.concatenate(centres).astype(np.float32), np.concatenate(strides).astype(np.float32))


def boxes_of(output: Floats, cells: Cells) -> Boxes:
    """Decode one picture's output of a YOLO, (4 + classes, cells), and join what overlaps."""
    seen = np.flatnonzero(output[4:].max(axis=0) >= LEAST_SCORE)
    distances = output[:4, seen].T * cells.strides[seen, None]
    centres = cells.centres[seen]
    corners = np.concatenate([centres - distances[:, :2], centres + distances[:, 2:]], axis=1)
    return kept(Boxes(corners, output[4:, seen].T))


def kept(boxes: Boxes) -> Boxes:
    """Of all answers to one picture those that say something, joined where they overlap.

    The scores of a joined box are those of its strongest answer; its corners are the mean of all
    boxes that overlap it closely, weighted by their scores (after weighted boxes fusion, Solovyev
    et al. 2021), which lies nearer to the truth than any one of them. Classes do not matter here, and
    neither does the family: no two bodies overlap by half, so boxes that do are of one body.
    """
    strength = boxes.scores.max(axis=1, initial=0.0)
    usable = (boxes.corners[:, 2:] - boxes.corners[:, :2] >= _LEAST_SIDE).all(axis=1)
    seen = np.flatnonzero(usable & (strength >= LEAST_SCORE))
    order = seen[np.argsort(-strength[seen], kind="stable")[:_MOST]]
    return joined(Boxes(boxes.corners[order], boxes.scores[order]))


def joined(boxes: Boxes) -> Boxes:
    """Greedy, class-agnostic suppression; ``boxes`` sorted by strength, strongest first."""
    overlap = overlaps(boxes.corners)
    strength = boxes.scores.max(axis=1, initial=0.0)
    free = np.ones(len(strength), bool)
    corners, scores = [], []
    for at in range(len(strength)):
        if not free[at]:
            continue
        free &= overlap[at] < SAME_BODY
        close = overlap[at] >= AVERAGED
        corners.append(np.average(boxes.corners[close], axis=0, weights=strength[close]))
        scores.append(boxes.scores[at])
    classes = boxes.scores.shape[1]
    return Boxes(
        np.asarray(corners, np.float32).reshape(-1, 4), np.asarray(scores, np.float32).reshape(-1, classes)
    )


def overlaps(corners: Floats) -> Floats:
    """Intersection over union of each box (n, 4) with each, shape (n, n)."""
    low = np.maximum(corners[:, None, :2], corners[None, :, :2])
    high = np.minimum(corners[:, None, 2:], corners[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=-1)
    area = np.prod(np.clip(corners[:, 2:] - corners[:, :2], 0, None), axis=-1)
    return np.asarray(shared / np.maximum(area[:, None] + area[None] - shared, 1e-9), np.float32)
