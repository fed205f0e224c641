"""Which pictures a report shows: those with most missed and most false boxes."""

from __future__ import annotations

from spine_fracture.evaluation.answers import Part
from spine_fracture.evaluation.boxes import BoxAnswer, BoxAnswers, PictureAnswer
from spine_fracture.evaluation.cases.thresholds import Threshold
from spine_fracture.evaluation.detection.gallery import worst_pictures

HALF = Threshold(0.5, "as told")


def _box(label: str, row: int, score: float = 0.9) -> BoxAnswer:
    return BoxAnswer(label=label, box=(10.0, 50.0 * row, 50.0, 50.0 * row + 40), score=score)


def _picture(patient: str, *predicted: BoxAnswer) -> PictureAnswer:
    reference = (_box("L1", 0), _box("L2", 1))
    return PictureAnswer(
        picture=f"{patient}/0", part=Part.TEST, patient=patient, predicted=predicted, reference=reference
    )


def _worst(*pictures: PictureAnswer) -> list[tuple[str, int, int]]:
    boxes = BoxAnswers(
        system="s", version="1", seed=0, cohort="c", task="levels", labels=("L1", "L2"), pictures=pictures
    )
    return [(w.answer.patient, w.missed, w.false_alarms) for w in worst_pictures(boxes, Part.TEST, HALF, 5)]


def test_missed_and_false_boxes_are_counted_the_worst_first() -> None:
    right = (_box("L1", 0), _box("L2", 1))
    none, doubled = _picture("none"), _picture("doubled", *right, _box("L2", 1, 0.8))
    assert _worst(_picture("right", *right), doubled, none) == [("none", 2, 0), ("doubled", 0, 1)]


def test_a_label_that_no_reference_has_is_no_false_alarm() -> None:
    assert _worst(_picture("more", _box("L1", 0), _box("L2", 1), _box("T11", 3))) == []
