"""What counts as a level's or a patient's score, and where it is cut."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import answers_of, case

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.evaluation.answers import SICK_OR_HEALTHY, Part
from spine_fracture.evaluation.cases.scores import Scores, Unit, shared, unit_scores
from spine_fracture.evaluation.cases.thresholds import youden


def test_a_patient_has_the_highest_score_of_its_levels() -> None:
    answers = answers_of(
        [
            case("a", Level.L1, 0.2, False),
            case("a", Level.L2, 0.9, True),
            case("b", Level.L1, 0.4, False),
            case("c", Level.L1, 0.8, True, part=Part.VALIDATION),
        ]
    )
    patients = unit_scores(answers, Part.TEST, Unit.PATIENT)
    assert [c.patient for c in patients.cases] == ["a", "b"]
    assert patients.score == pytest.approx([0.9, 0.4])
    assert patients.positive.tolist() == [True, False]
    assert patients.cases[0].level is Level.L2
    levels = unit_scores(answers, Part.TEST, Unit.LEVEL)
    assert levels.score == pytest.approx([0.2, 0.9, 0.4])
    assert levels.index.tolist() == [0, 0, 1]


def test_an_answer_about_the_whole_patient_stands_alone() -> None:
    answers = answers_of(
        [case("a", Level.L1, 0.9, True), case("a", None, 0.3, True), case("b", Level.L1, 0.4, False)]
    )
    assert unit_scores(answers, Part.TEST, Unit.PATIENT).score == pytest.approx([0.3, 0.4])
    assert unit_scores(answers, Part.TEST, Unit.LEVEL).score == pytest.approx([0.9, 0.4])


def test_two_views_of_a_patient_are_joined() -> None:
    views = [case("a", None, s, True, sequences=v) for s, v in ((0.3, "AP"), (0.6, "lateral"))]
    assert unit_scores(answers_of(views), Part.TEST, Unit.PATIENT).score == pytest.approx([0.6])


def test_levels_the_question_is_not_about_are_left_out() -> None:
    normal = case("a", Level.L3, 0.9, False).model_copy(update={"truth": Diagnosis.NORMAL})
    answers = answers_of([normal, case("a", Level.L1, 0.2, False)])
    assert len(unit_scores(answers, Part.TEST, Unit.LEVEL)) == 1
    assert len(unit_scores(answers, Part.TEST, Unit.LEVEL, SICK_OR_HEALTHY)) == 1
    assert len(unit_scores(answers, Part.EXTERNAL, Unit.PATIENT)) == 0


def test_models_are_put_in_one_order_on_what_all_answered() -> None:
    first = answers_of([case("a", Level.L1, 0.1, False), case("b", Level.L1, 0.2, True)])
    second = answers_of(
        [case(p, Level.L1, s, yes) for p, s, yes in (("c", 0.5, True), ("b", 0.6, True), ("a", 0.7, False))]
    )
    one, other = shared([unit_scores(a, Part.TEST, Unit.LEVEL) for a in (first, second)])
    assert [c.patient for c in one.cases] == [c.patient for c in other.cases] == ["a", "b"]
    assert other.score == pytest.approx([0.7, 0.6])


def _validation(scores: list[float], positive: list[bool]) -> Scores:
    cases = [case(f"p{n}", None, s, yes) for n, (s, yes) in enumerate(zip(scores, positive, strict=True))]
    return unit_scores(answers_of(cases), Part.TEST, Unit.PATIENT)


def test_youden_cuts_between_the_two_kinds() -> None:
    found = youden(_validation([n / 10 for n in range(10)], [False] * 5 + [True] * 5))
    assert found.value == pytest.approx(0.45)
    assert "10 validation cases" in found.rule


def test_too_few_validation_cases_fall_back_and_say_so() -> None:
    found = youden(_validation([0.1, 0.9, 0.8], [False, True, True]))
    assert found.value == 0.5
    assert "2 positive and 1 negative" in found.rule


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.integers(1, 99), st.booleans()), min_size=10, max_size=40).filter(
        lambda rows: 5 <= sum(yes for _, yes in rows) <= len(rows) - 5
    )
)
def test_no_other_cut_has_a_greater_youden_index(rows: list[tuple[int, bool]]) -> None:
    scores = _validation([s / 100 for s, _ in rows], [yes for _, yes in rows])

    def index(cut: float) -> float:
        called = scores.score >= cut
        return float(called[scores.positive].mean() - called[~scores.positive].mean())

    best = max(index(cut) for cut in np.linspace(0, 1, 201))
    assert index(youden(scores).value) == pytest.approx(best)
