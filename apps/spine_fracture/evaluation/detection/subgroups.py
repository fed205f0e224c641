"""How well boxes are found at each centre and scanner: a detector may do well on average and fail at one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from spine_fracture.evaluation.answers import Part
from spine_fracture.evaluation.boxes import BoxAnswers, PictureAnswer
from spine_fracture.evaluation.cases.differences import FEWEST
from spine_fracture.evaluation.cases.subgroups import NOT_STATED
from spine_fracture.evaluation.cases.thresholds import Threshold
from spine_fracture.evaluation.detection.judging import DetectionResult, judge_boxes
from spine_fracture.evaluation.statistics.intervals import Resampling


@dataclass(frozen=True)
class BoxSubgroup:
    """``result`` is None where too few patients have a box to find, and ``reason`` says how many have."""

    dimension: str
    name: str
    part: Part
    result: DetectionResult | None
    reason: str


_DIMENSIONS: Mapping[str, Callable[[PictureAnswer], str]] = {
    "centre": lambda picture: picture.centre,
    "scanner": lambda picture: picture.scanner,
    "sequences": lambda picture: picture.sequences,
}


def box_subgroups(
    answers: BoxAnswers, part: Part, threshold: Threshold, resampling: Resampling | None = None
) -> Iterator[BoxSubgroup]:
    """The pictures of one part by centre, scanner and sequences, wherever they differ in that; all have the
    one ``threshold`` that the whole has.
    """
    pictures = answers.of(part)
    for dimension, value_of in _DIMENSIONS.items():
        names = sorted({value_of(picture) or NOT_STATED for picture in pictures})
        for name in names if len(names) > 1 else ():
            own = tuple(picture for picture in pictures if (value_of(picture) or NOT_STATED) == name)
            patients = len({picture.patient for picture in own if picture.reference})
            if patients < FEWEST:
                why = f"needs {FEWEST} patients with a box to find, has {patients}"
                yield BoxSubgroup(dimension, name, part, None, why)
                continue
            some = answers.model_copy(update={"pictures": own})
            (result,) = judge_boxes(some, threshold=threshold, resampling=resampling)
            yield BoxSubgroup(dimension, name, part, result, "")
