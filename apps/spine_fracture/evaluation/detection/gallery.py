"""Which pictures a detector did worst on: most lesions or levels missed, most false alarms."""

from __future__ import annotations

from dataclasses import dataclass

from spine_fracture.evaluation.answers import Part
from spine_fracture.evaluation.boxes import BoxAnswers, PictureAnswer
from spine_fracture.evaluation.cases.thresholds import Threshold
from spine_fracture.evaluation.detection.matching import match, reference_labels


@dataclass(frozen=True)
class WorstPicture:
    """``missed`` reference boxes and ``false_alarms``, at an overlap of 0.5. ``answer`` holds only what was
    called, and of each patient one picture is taken.
    """

    answer: PictureAnswer
    missed: int
    false_alarms: int


def worst_pictures(
    boxes: BoxAnswers, part: Part, threshold: Threshold, count: int
) -> tuple[WorstPicture, ...]:
    """The worst first; none without a mistake. Boxes of a label that no reference of the part has are none:
    it does not say whether they are there.
    """
    of_patient: dict[str, WorstPicture] = {}
    labels = reference_labels(boxes.of(part))
    for picture in boxes.of(part):
        cut = threshold.at(picture.fold)
        called = tuple(box for box in picture.predicted if box.score >= cut and box.label in labels)
        judged = _judged(picture.model_copy(update={"predicted": called}))
        before = of_patient.get(picture.patient)
        if _wrong(judged) and (before is None or _wrong(judged) > _wrong(before)):
            of_patient[picture.patient] = judged
    return tuple(sorted(of_patient.values(), key=_wrong, reverse=True)[:count])


def _judged(picture: PictureAnswer) -> WorstPicture:
    right = int(match([picture]).found.sum())
    return WorstPicture(picture, len(picture.reference) - right, len(picture.predicted) - right)


def _wrong(picture: WorstPicture) -> int:
    return picture.missed + picture.false_alarms
