"""How well named vertebrae are found: average precision, precision and recall, whole pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from spine_fracture.anatomy import Level
from spine_fracture.errors import InputError
from spine_fracture.evaluation.answers import Part
from spine_fracture.evaluation.boxes import BoxAnswer, PictureAnswer
from spine_fracture.evaluation.detection.average_precision import mean_average_precision
from spine_fracture.geometry import PixelBox

#: Overlap from which a box of the right name counts as found, outside of the averages over IoU.
FOUND = 0.5


@dataclass(frozen=True)
class NamedBox:
    """A vertebra in one picture; ``score`` in [0, 1] is 1 for a reference."""

    level: Level
    box: PixelBox
    score: float = 1.0


@dataclass(frozen=True)
class PictureBoxes:
    """What was predicted and what is true in one picture."""

    picture: str
    predicted: tuple[NamedBox, ...]
    reference: tuple[NamedBox, ...]

    @property
    def found(self) -> frozenset[Level]:
        """Reference levels with a box of the same name that overlaps by :data:`FOUND`."""
        return frozenset(
            r.level
            for r in self.reference
            if any(p.level is r.level and p.box.iou(r.box) >= FOUND for p in self.predicted)
        )

    @property
    def all_correct(self) -> bool:
        """Whether every reference level was found and rightly named."""
        return self.found == {r.level for r in self.reference}


@dataclass(frozen=True)
class DetectionScores:
    """Of a set of pictures; every share in [0, 1].

    ``map50_95`` and ``map50`` are means over the levels of the reference (COCO, Lin et al. 2014);
    ``precision``, ``recall`` and ``f1`` count named boxes at IoU 0.5, predictions of levels that no
    picture's reference names being left out: the reference does not say whether they are there.
    """

    map50_95: float
    map50: float
    precision: float
    recall: float
    f1: float
    all_levels_correct: float
    pictures: int


def score_pictures(pictures: Sequence[PictureBoxes]) -> DetectionScores:
    """Scores over all pictures that have a reference; raises :class:`InputError` when there is none."""
    pictures = [picture for picture in pictures if picture.reference]
    levels = {r.level for p in pictures for r in p.reference}
    if not levels:
        raise InputError("No picture has a reference box: there is nothing to score detection against.")
    averages = mean_average_precision(
        [(_boxes(b for b in p.predicted if b.level in levels), _boxes(p.reference)) for p in pictures]
    )
    hits = sum(len(p.found) for p in pictures)
    predicted = sum(b.level in levels for p in pictures for b in p.predicted)
    true = sum(len(p.reference) for p in pictures)
    return DetectionScores(
        map50_95=averages.map50_95,
        map50=averages.map50,
        precision=hits / predicted if predicted else 0.0,
        recall=hits / true,
        f1=2 * hits / (predicted + true),
        all_levels_correct=sum(p.all_correct for p in pictures) / len(pictures),
        pictures=len(pictures),
    )


def picture_answers(pictures: Sequence[PictureBoxes]) -> tuple[PictureAnswer, ...]:
    """The same in the form that detectors are compared in, each picture being of another patient."""
    return tuple(
        PictureAnswer(
            picture=one.picture,
            part=Part.TEST,
            patient=one.picture,
            predicted=_boxes(one.predicted),
            reference=_boxes(one.reference),
        )
        for one in pictures
    )


def _boxes(boxes: Iterable[NamedBox]) -> tuple[BoxAnswer, ...]:
    return tuple(BoxAnswer(label=b.level, box=b.box.as_tuple(), score=b.score) for b in boxes)
