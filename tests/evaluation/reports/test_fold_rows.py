"""What the report says of each fold of a cross-validation, and of all of them together."""

from __future__ import annotations

import pytest
from made_up import answers_of, case

from spine_fracture.anatomy import Level
from spine_fracture.evaluation.answers import Answers, Part
from spine_fracture.evaluation.boxes import BoxAnswer, BoxAnswers, PictureAnswer
from spine_fracture.evaluation.reports.fold_rows import Spread, fold_rows, spreads
from spine_fracture.evaluation.statistics.intervals import Resampling

HOW = Resampling(draws=50)


def _answers() -> Answers:
    """Of 20 patients a fold: the first fold's model puts every pair right, the second's half of them, and the
    third judged nobody malignant. Those of the next fold validate, told apart at 0.4, 0.6 and 0.5.
    """
    cases = []
    for fold, then, middle, positive in (
        ("a", "b", 0.4, (0.9,)),
        ("b", "c", 0.6, (0.9, 0.1)),
        ("c", "a", 0.5, ()),
    ):
        for n in range(20):
            bad = bool(n % 2)
            told = middle + (0.05 if bad else -0.05)
            cases.append(case(f"{then}-{n}", Level.L1, told, bad, part=Part.VALIDATION, fold=fold))
            bad = bad and bool(positive)
            score = positive[n // 2 % len(positive)] if bad else 0.5
            cases.append(case(f"{fold}-{n}", Level.L1, score, bad, fold=fold))
    return answers_of(cases)


def _boxes() -> BoxAnswers:
    """Two folds of two patients; the second's boxes are all beside what there is."""
    there, beside = (0.0, 0.0, 10.0, 10.0), (40.0, 40.0, 50.0, 50.0)
    pictures = tuple(
        PictureAnswer(
            picture=f"{fold}-{part}-{n}",
            part=part,
            patient=f"{fold}-{part}-{n}",
            fold=fold,
            predicted=(BoxAnswer(label="L1", box=box, score=0.8),),
            reference=(BoxAnswer(label="L1", box=there),),
        )
        for fold, box in (("a", there), ("b", beside))
        for part in (Part.VALIDATION, Part.TEST)
        for n in range(2)
    )
    told = {"system": "d", "version": "d-1", "seed": 1, "cohort": "c", "task": "levels"}
    return BoxAnswers(**told, labels=("L1",), pictures=pictures)


def test_each_fold_has_its_own_figures_and_threshold() -> None:
    rows = fold_rows(_answers(), None, HOW)
    assert [(row.name, row.training, row.validation, row.test) for row in rows] == [
        (name, 20, 20, 20) for name in "abc"
    ]
    by_level = [row.of("AUC by level") for row in rows]
    values = [one.value and one.value.value for one in by_level if one]
    assert values == [1.0, 0.5, None]
    assert [one.threshold.value for one in by_level if one] == pytest.approx([0.4, 0.6, 0.5])
    assert all("on 20 validation cases" in one.threshold.rule for one in by_level if one)


def test_figures_of_cases_and_of_boxes_stand_beside_each_other() -> None:
    rows = fold_rows(_answers(), _boxes(), HOW)
    found = [row.of("mAP50-95") for row in rows]
    assert [one and one.value and one.value.value for one in found] == [1.0, 0.0, None]
    assert [one.name for one in rows[0].figures] == ["AUC by level", "AUC by patient", "mAP50-95"]


def test_a_spread_counts_the_folds_that_have_the_figure() -> None:
    over = spreads(fold_rows(_answers(), None, HOW))
    assert over[0] == Spread("AUC by level", 2, 0.75, pytest.approx(0.5 / 2**0.5))
    alone = spreads(fold_rows(_answers(), None, HOW)[:1])
    assert alone[0] == Spread("AUC by level", 1, 1.0, None)


def test_one_model_has_no_folds() -> None:
    answers = _answers()
    cases = tuple(one.model_copy(update={"fold": ""}) for one in answers.cases)
    assert fold_rows(answers.model_copy(update={"cases": cases}), None, HOW) == ()
