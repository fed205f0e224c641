"""From the network's cells to the boxes of one slice: strongest first, overlapping ones averaged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spine_fracture.detection.network import Cells
from spine_fracture.geometry import PixelBox

Floats = npt.NDArray[np.float32]
#: A cell below this gives no candidate.
LEAST_SCORE = 0.05
#: Overlap (IoU) from which a weaker box is the same vertebra, and from which it is averaged in.
SAME_BODY = 0.5
AVERAGED = 0.7


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
    """Boxes of one picture: ``corners`` (n, 4) x0 y0 x1 y1 in pixels, ``scores`` (n, kinds)."""

    corners: Floats
    scores: Floats


def boxes_of(output: Floats, cells: Cells) -> Boxes:
    """Decode one picture's network output (4 + kinds, cells) and join what overlaps.

    The scores of a joined box are those of its strongest cell; its corners are the mean of all
    boxes that overlap it closely, weighted by their scores (after weighted boxes fusion, Solovyev
    et al. 2021), which lies nearer to the truth than any one of them.
    """
    strength = output[4:].max(axis=0)
    kept = np.flatnonzero(strength >= LEAST_SCORE)
    kept = kept[np.argsort(-strength[kept], kind="stable")]
    distances = output[:4, kept].T * cells.strides[kept, None]
    centres = cells.centres[kept]
    corners = np.concatenate([centres - distances[:, :2], centres + distances[:, 2:]], axis=1)
    return joined(Boxes(corners, output[4:, kept].T))


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
    kinds = boxes.scores.shape[1]
    return Boxes(
        np.asarray(corners, np.float32).reshape(-1, 4), np.asarray(scores, np.float32).reshape(-1, kinds)
    )


def overlaps(corners: Floats) -> Floats:
    """Intersection over union of each box (n, 4) with each, shape (n, n)."""
    low = np.maximum(corners[:, None, :2], corners[None, :, :2])
    high = np.minimum(corners[:, None, 2:], corners[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=-1)
    area = np.prod(np.clip(corners[:, 2:] - corners[:, :2], 0, None), axis=-1)
    return np.asarray(shared / np.maximum(area[:, None] + area[None] - shared, 1e-9), np.float32)
