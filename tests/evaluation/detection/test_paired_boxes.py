"""Detectors in pairs: on the same pictures, drawn by patient, adjusted together."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from spine_fracture.errors import InputError
from spine_fracture.evaluation.answers import Part
from spine_fracture.evaluation.boxes import BoxAnswer, BoxAnswers, PictureAnswer
from spine_fracture.evaluation.cases.differences import Verdict
from spine_fracture.evaluation.detection.paired import paired_precision
from spine_fracture.evaluation.reports.comparison_report import Compared, compared, render
from spine_fracture.evaluation.statistics.intervals import Resampling

HOW = Resampling(draws=100)


def _pictures(shifts: Sequence[float], label: str = "L1") -> tuple[PictureAnswer, ...]:
    """One picture a patient, its box found so many pixels aside: 4 of 40 give a mAP50-95 of 0.7."""
    return tuple(
        PictureAnswer(
            picture=f"p{n}/0", part=Part.TEST, patient=f"p{n}",
            predicted=(BoxAnswer(label=label, box=(10 + shift, 0, 50 + shift, 40), score=0.9),),
            reference=(BoxAnswer(label=label, box=(10, 0, 50, 40)),),
        )
        for n, shift in enumerate(shifts)
    )  # fmt: skip


def test_a_detector_is_better_by_what_it_finds_more_on_the_same_patients() -> None:
    right, shifted = _pictures([0] * 12), _pictures([4] * 12)
    (gain,) = paired_precision({"shifted": shifted, "right": right}, HOW)
    assert (gain.first, gain.second) == ("shifted", "right")
    found = gain.difference
    assert (found.cases, found.patients) == (12, 12) and found.difference.value == pytest.approx(0.3)
    assert (found.first, found.second) == pytest.approx((0.7, 1.0)) and found.verdict is Verdict.BETTER
    (same,) = paired_precision({"one": right, "other": right}, HOW)
    assert same.difference.difference.value == 0 and same.difference.verdict is Verdict.NOT_SHOWN
    (some,) = paired_precision({"shifted": shifted, "mixed": (*right[:6], *shifted[6:])}, HOW)
    interval = some.difference.difference
    assert 0 <= interval.low < interval.value < interval.high <= 0.3 + 1e-9


def test_all_pairs_are_of_the_pictures_that_all_read_and_adjusted_together() -> None:
    read = {"a": _pictures([4] * 12), "b": _pictures([0] * 12), "c": _pictures([0] * 10)}
    pairs = paired_precision(read, HOW)
    assert [(pair.first, pair.second) for pair in pairs] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert {pair.difference.cases for pair in pairs} == {10}
    assert pairs[0].difference.p_holm == pytest.approx(3 * pairs[0].difference.p_value)


def test_nothing_is_said_of_nine_patients_or_of_none_in_common() -> None:
    (pair,) = paired_precision({"a": _pictures([4] * 9), "b": _pictures([0] * 9)}, HOW)
    assert pair.difference.verdict is Verdict.TOO_FEW
    assert paired_precision({"a": _pictures([0]), "b": _pictures([0] * 9)}, HOW) == ()
    assert paired_precision({}, HOW) == ()


def test_other_boxes_of_a_picture_are_refused() -> None:
    with pytest.raises(InputError, match="different boxes of the picture p0/0"):
        paired_precision({"a": _pictures([0] * 2), "b": _pictures([0] * 2, label="L2")}, HOW)


def test_two_pictures_of_one_name_are_not_taken_for_each_other() -> None:
    twice = (*_pictures([0] * 12), *_pictures([4]))
    with pytest.raises(InputError, match="a read two pictures called p0/0: let it answer the cohort again"):
        paired_precision({"a": twice, "b": _pictures([0] * 12)}, HOW)


def test_the_page_compares_detectors_of_one_task_and_no_others() -> None:
    def detector(name: str, shift: float, task: str = "levels") -> Compared:
        boxes = BoxAnswers(
            system=name, version=name, seed=0, cohort="c", task=task, labels=("L1",),
            pictures=_pictures([shift] * 12),
        )  # fmt: skip
        return Compared(name, name, None, boxes)

    report = compared(
        [detector("far", 4), detector("near", 0), detector("other", 0, "lesions")], resampling=HOW
    )
    (table,) = report.box_tables
    assert (table.part, table.task, len(table.pairs)) == (Part.TEST, "levels", 1)
    text = render(report)
    assert "Boxes of levels: one detector less the other" in text and "+0.300" in text and "better" in text
