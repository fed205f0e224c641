"""Detectors: average precision against pycocotools, FROC and thresholds by hand."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from spine_fracture.evaluation.answers import Part
from spine_fracture.evaluation.boxes import BoxAnswer, BoxAnswers, PictureAnswer
from spine_fracture.evaluation.cases.thresholds import Threshold
from spine_fracture.evaluation.detection.average_precision import drawn_precision, mean_average_precision
from spine_fracture.evaluation.detection.froc import froc
from spine_fracture.evaluation.detection.judging import DetectionResult, best_f1, judge_boxes
from spine_fracture.evaluation.detection.matching import match
from spine_fracture.evaluation.statistics.intervals import Resampling

LABELS = ("L1", "L2", "L3", "L4")
QUICK = Resampling(draws=60)


def _pictures(seed: int, patients: int = 24, part: Part | None = None) -> tuple[PictureAnswer, ...]:
    """Two pictures a patient; boxes shifted, renamed, missed, doubled and made up."""
    rng = np.random.default_rng(seed)
    pictures = []
    for number in range(2 * patients):
        reference, predicted = [], []
        for row, label in enumerate(LABELS):
            x, y = rng.uniform(0, 10), 50 * row + rng.uniform(0, 10)
            box = np.array([x, y, x + 40, y + 36])
            if rng.random() < 0.85:
                reference.append(BoxAnswer(label=label, box=tuple(box)))
            for _ in range(int(rng.integers(0, 3))):
                named = label if rng.random() < 0.9 else LABELS[0]
                shifted = tuple(box + rng.normal(0, 2.5, 4))
                predicted.append(BoxAnswer(label=named, box=shifted, score=float(rng.random())))
        pictures.append(
            PictureAnswer(
                picture=f"{number}",
                part=part or list(Part)[number // 2 % 3],
                patient=f"p{number // 2}",
                predicted=tuple(predicted),
                reference=tuple(reference),
            )
        )
    return tuple(pictures)


def _answers(pictures: Sequence[PictureAnswer], task: str = "levels") -> BoxAnswers:
    return BoxAnswers(
        system="made-up",
        version="1",
        seed=0,
        cohort="made-up",
        task=task,
        labels=LABELS,
        pictures=tuple(pictures),
    )


def _pycocotools(pictures: Sequence[PictureAnswer]) -> tuple[float, float]:
    def entry(at: int, box: BoxAnswer) -> dict[str, object]:
        x0, y0, x1, y1 = box.box
        size = [x1 - x0, y1 - y0]
        return {"image_id": at, "category_id": LABELS.index(box.label) + 1, "bbox": [x0, y0, *size],
                "area": size[0] * size[1], "iscrowd": 0, "score": box.score}  # fmt: skip

    truth = COCO()
    truth.dataset = {
        "images": [{"id": at} for at in range(len(pictures))],
        "categories": [{"id": n + 1} for n in range(len(LABELS))],
        "annotations": [
            {"id": n + 1, **e}
            for n, e in enumerate(entry(at, b) for at, p in enumerate(pictures) for b in p.reference)
        ],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        found = truth.loadRes([entry(at, box) for at, p in enumerate(pictures) for box in p.predicted])
        evaluation = COCOeval(truth, found, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0]), float(evaluation.stats[1])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_pycocotools_faster_coco_eval_and_the_drawn_values_agree(seed: int) -> None:
    pictures = _pictures(seed)
    expected = _pycocotools(pictures)
    found = mean_average_precision([(p.predicted, p.reference) for p in pictures])
    assert 0.1 < found.map50_95 < found.map50 < 0.9
    assert (found.map50_95, found.map50) == pytest.approx(expected, abs=1e-6)
    drawn = drawn_precision(match(pictures), Resampling(draws=5))
    assert (drawn[:, 0].mean(), drawn[0, 0]) == pytest.approx(expected, abs=1e-6)


def test_a_drawn_average_precision_is_that_of_the_drawn_patients() -> None:
    pictures = _pictures(4)
    patients = sorted({p.patient for p in pictures}, key=lambda name: int(name[1:]))
    how = Resampling(draws=2)
    weights = np.random.default_rng(how.seed).multinomial(
        len(patients), [1 / len(patients)] * len(patients), 2
    )
    drawn = drawn_precision(match(pictures), how)
    for times, values in zip(weights, drawn.T[1:], strict=True):
        repeated = [p for p in pictures for _ in range(times[patients.index(p.patient)])]
        expected = mean_average_precision([(p.predicted, p.reference) for p in repeated])
        # Doubled pictures have equal scores, which may be put in either order.
        assert values.mean() == pytest.approx(expected.map50_95, abs=0.02)


def _picture(patient: str, hits: Sequence[float], alarms: Sequence[float], missed: int = 0) -> PictureAnswer:
    """Boxes found with these scores, false alarms with those, and some that are missed."""
    places = [(10.0 * n, 0.0, 10.0 * n + 8, 8.0) for n in range(len(hits) + missed)]
    found = [BoxAnswer(label="L1", box=box, score=s) for box, s in zip(places, hits, strict=False)]
    false = [
        BoxAnswer(label="L1", box=(0, 50.0 * n + 50, 9, 50.0 * n + 60), score=s) for n, s in enumerate(alarms)
    ]
    return PictureAnswer(
        picture=patient,
        part=Part.TEST,
        patient=patient,
        predicted=tuple(found + false),
        reference=tuple(BoxAnswer(label="L1", box=box) for box in places),
    )


def test_froc_by_hand() -> None:
    """Four pictures, five lesions. By score: hit, alarm, hit, hit, hit with alarm, two alarms."""
    pictures = [
        _picture("a", [0.9, 0.7], [0.8]),
        _picture("b", [0.6], [0.4]),
        _picture("c", [0.4], [0.3, 0.2]),
        _picture("d", [], [], missed=1),
    ]
    points = {p.false_positives: p.sensitivity for p in froc(match(pictures), QUICK)}
    assert {price: sensitivity.value for price, sensitivity in points.items()} == pytest.approx(
        {0.125: 0.2, 0.25: 0.6, 0.5: 0.8, 1.0: 0.8, 2.0: 0.8, 4.0: 0.8, 8.0: 0.8}
    )
    for sensitivity in points.values():
        assert sensitivity.low <= sensitivity.value <= sensitivity.high


def test_a_second_box_on_the_same_vertebra_is_a_false_alarm() -> None:
    box = BoxAnswer(label="L1", box=(0, 0, 10, 10))
    twice = tuple(box.model_copy(update={"score": s}) for s in (0.9, 0.8))
    picture = PictureAnswer(picture="a", part=Part.TEST, patient="a", predicted=twice, reference=(box,))
    assert match([picture]).found.tolist() == [True, False]


def test_the_threshold_with_the_best_f1() -> None:
    """From 0.7 on three right of three calls, four wanted: 6/7; with the alarm 6/8, all 8/9."""
    matches = match([_picture("a", [0.9, 0.8, 0.7, 0.2], [0.4])])
    found = best_f1(matches)
    assert found.value == pytest.approx(0.1)
    assert best_f1(match([_picture("a", [0.9, 0.8, 0.7], [0.4, 0.3, 0.2], missed=1)])).value == pytest.approx(
        0.55
    )
    assert best_f1(match([])).rule == "0.5 (no box was rightly found on validation)"


@pytest.fixture(scope="module")
def results() -> tuple[DetectionResult, ...]:
    return judge_boxes(_answers(_pictures(0, patients=36)), resampling=QUICK)


def test_parts_are_judged_at_the_threshold_of_validation(results: tuple[DetectionResult, ...]) -> None:
    assert [r.part for r in results] == [Part.TEST, Part.EXTERNAL]
    assert {r.threshold.rule for r in results} == {"best F1 on 24 validation pictures"}
    for result in results:
        assert (result.patients, result.pictures) == (12, 24)
        assert result.precision is not None and result.f1 is not None
        p, r = result.precision.value, result.recall.value
        assert result.f1.value == pytest.approx(2 * p * r / (p + r))
        for interval in (result.map50_95, result.map50, result.recall, result.precision, result.f1):
            assert interval.low <= interval.value <= interval.high


def test_a_study_is_right_when_each_level_is_found_on_half_of_its_pictures() -> None:
    def study(patient: str, found: Sequence[bool]) -> list[PictureAnswer]:
        box = BoxAnswer(label="L1", box=(0, 0, 10, 10))
        return [
            PictureAnswer(
                picture=f"{patient}{n}",
                part=Part.TEST,
                patient=patient,
                predicted=(box if yes else box.model_copy(update={"label": "L2"}),),
                reference=(box, BoxAnswer(label="L2", box=(0, 20, 10, 30))) if patient == "d" else (box,),
            )
            for n, yes in enumerate(found)
        ]

    pictures = [
        *study("a", [True, False]),
        *study("b", [True]),
        *study("c", [False, False, True]),
        *study("d", [True]),
    ]
    half = Threshold(0.5, "as told")
    found = judge_boxes(_answers(pictures), threshold=half, resampling=QUICK)[0]
    assert found.studies_right is not None and found.studies_right.value == 0.5
    lesions = judge_boxes(_answers(pictures, task="lesions"), threshold=half, resampling=QUICK)[0]
    assert lesions.studies_right is None


def test_a_detector_that_finds_nothing_has_no_precision() -> None:
    pictures = [_picture(name, [], [], missed=2) for name in "abc"]
    found = judge_boxes(_answers(pictures), resampling=QUICK)[0]
    assert (found.precision, found.f1, found.recall.value, found.map50.value) == (None, None, 0.0, 0.0)
    assert found.recall.high > 0.5  # three patients do not prove that it never finds any
    assert judge_boxes(_answers(pictures[:1])) == ()
