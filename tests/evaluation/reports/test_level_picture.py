"""A level on the sequences that there are, each with its name on it."""

from __future__ import annotations

import numpy as np

from spine_fracture.evaluation.reports.level_picture import level_picture
from spine_fracture.geometry import PixelBox


def test_each_sequence_is_named_and_a_missing_one_left_out() -> None:
    slice_ = np.random.default_rng(0).integers(0, 255, (80, 80)).astype(np.uint8)
    box, nothing = PixelBox(30, 30, 50, 48), np.zeros_like(slice_)
    both = level_picture(np.stack([slice_, slice_]), box, "L3")
    t1, t2 = (level_picture(np.stack(one), box, "L3") for one in ([slice_, nothing], [nothing, slice_]))
    assert both.width > 2 * t1.width and t1.size == t2.size
    apart = (np.asarray(t1) != np.asarray(t2)).any(axis=2)
    assert apart.any() and not apart[40:].any() and not apart[:, 60:].any()  # only the name in the corner
