"""How surely the detector that comes in the package finds boxes, whoever drew them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from spine_fracture.bundle import SHIPPED_WEIGHTS
from spine_fracture.classification.crops import BoxOnSlice
from spine_fracture.detection.candidates import SAME_BODY
from spine_fracture.detection.finder import BoxFinder
from spine_fracture.geometry import PixelBox
from spine_fracture.imaging import Pixels

#: For each level, and each of its boxes in the order given, a confidence in [0, 1].
Confidences = tuple[tuple[float, ...], ...]


@lru_cache(maxsize=1)
def shipped_finder() -> BoxFinder:
    """The detector in the package, loaded once a process, in the runtime that serves it."""
    return BoxFinder.load(SHIPPED_WEIGHTS / "detector")


def box_confidences(finder: BoxFinder, pixels: Pixels, levels: Sequence[Sequence[BoxOnSlice]]) -> Confidences:
    """Of each box the highest score that ``finder`` gives a body there, 0 where it finds none.

    ``pixels`` (slices, 2 or more, rows, columns) in [0, 1], T1 then T2. A box of the detector's own has the
    score that it was found with, since no two that it finds overlap as one body does.
    """
    found = finder.find(pixels[:, :2])

    def of(index: int, box: PixelBox) -> float:
        there = (each for each in found if each.slice_index == index and each.box.iou(box) >= SAME_BODY)
        return max((max(each.scores) for each in there), default=0.0)

    return tuple(tuple(of(*each) for each in boxes) for boxes in levels)
