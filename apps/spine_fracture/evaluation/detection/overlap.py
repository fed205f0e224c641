"""How well boxes lie on the vertebrae that matter, whatever they are called."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from spine_fracture.evaluation.boxes import PictureAnswer
from spine_fracture.evaluation.cases.thresholds import Threshold
from spine_fracture.evaluation.statistics.intervals import (
    Estimate,
    Resampling,
    patient_indices,
    sums_by_patient,
)
from spine_fracture.evaluation.statistics.shares import share
from spine_fracture.geometry import PixelBox


def mean_overlap(
    pictures: Sequence[PictureAnswer],
    wanted: Collection[tuple[str, str]],
    threshold: Threshold,
    how: Resampling,
) -> Estimate | None:
    """Mean IoU of the reference boxes of ``wanted`` (patient, label) with the box called that fits each best,
    0 where none does; None below two patients. The interval is by bootstrap over patients.
    """
    patients: list[str] = []
    overlaps: list[tuple[float, float]] = []
    for picture in pictures:
        called = [PixelBox(*box.box) for box in picture.predicted if box.score >= threshold.at(picture.fold)]
        for box in picture.reference:
            if (picture.patient, box.label) in wanted:
                there = PixelBox(*box.box)
                patients.append(picture.patient)
                overlaps.append((max((there.iou(other) for other in called), default=0.0), 1.0))
    if len(set(patients)) < 2:
        return None
    sums = sums_by_patient(np.array(overlaps), patient_indices(patients))
    return share(sums[:, 0], sums[:, 1], how)
