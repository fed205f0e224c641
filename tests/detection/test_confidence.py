"""How surely a detector finds boxes that others drew."""

from __future__ import annotations

from typing import cast

import numpy as np

from spine_fracture.detection.confidence import box_confidences
from spine_fracture.detection.finder import BoxFinder, Found
from spine_fracture.geometry import PixelBox

BODY = PixelBox(10, 10, 40, 30)


class Finding:
    def __init__(self, *found: Found) -> None:
        self._found = found

    def find(self, pixels: np.ndarray) -> tuple[Found, ...]:
        assert pixels.shape[1] == 2  # T1 and T2, whatever else there is
        return self._found


def test_a_box_is_as_sure_as_the_best_that_is_found_on_its_body() -> None:
    finder = Finding(
        Found(0, BODY, (0.3, 0.8, 0.0, 0.1)),
        Found(0, BODY.shifted(1, 0), (0.9, 0.0, 0.0, 0.0)),
        Found(0, BODY.shifted(0, 20), (1.0, 0.0, 0.0, 0.0)),  # the body below
        Found(1, BODY, (0.5, 0.0, 0.0, 0.0)),
    )
    own, drawn = [(0, BODY), (1, BODY)], [(1, BODY.shifted(3, 1)), (2, BODY)]
    given = box_confidences(cast(BoxFinder, finder), np.zeros((3, 4, 64, 64), np.float32), [own, drawn, []])
    assert given == ((0.9, 0.5), (0.5, 0.0), ())
