"""Models beside each other, by a question that not all were trained for."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_up import answers_of, case

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.errors import InputError
from spine_fracture.evaluation.answers import Answers, Case, Part
from spine_fracture.evaluation.cases.scores import Unit
from spine_fracture.evaluation.reports.comparison_report import (
    Compared,
    ComparisonReport,
    compared,
    render,
    write_comparison,
)
from spine_fracture.evaluation.statistics.intervals import Resampling

HOW = Resampling(draws=100)


def _case(patient: str, truth: Diagnosis, score: float, level: Level | None = Level.L1) -> Case:
    """Sick or healthy: ``score`` for malignant, the rest for normal."""
    sick = case(patient, level, score, malignant=True)
    return sick.model_copy(update={"truth": truth, "probabilities": (1 - score, 0.0, score, 0.0)})


def _both() -> tuple[Answers, Answers]:
    """One model of fractures, which also says of every other patient what the fractured vertebra is, and one
    of sickness; both on 12 patients, half of them healthy.
    """
    levels = [
        _case(f"p{n}", Diagnosis.MALIGNANT if n % 2 else Diagnosis.NORMAL, 0.2 + 0.5 * (n % 2))
        for n in range(12)
    ]
    whole = [_case(f"p{n}", Diagnosis.BENIGN_FRACTURE, 0.5, None) for n in range(0, 12, 3)]
    fractures = answers_of([*levels, *whole], system="fractures")
    sickness = answers_of(levels, system="sickness").model_copy(update={"question": "sick_or_healthy"})
    return fractures, sickness


def _compared(*answers: Answers, question: str = "") -> ComparisonReport:
    models = [Compared(a.system, a.version, a, None) for a in answers]
    return compared(models, question=question, resampling=HOW)


def test_under_anothers_question_no_patient_is_lost() -> None:
    report = _compared(*_both(), question="sick_or_healthy")
    for row in report.rows:
        result = row.of(Part.TEST, Unit.PATIENT)
        assert result is not None and (result.cases, result.positives) == (12, 6)
    (by_patient,) = [table for table in report.tables if table.unit is Unit.PATIENT]
    assert [pair.cases for pair in by_patient.pairs] == [12]


def test_under_the_own_question_the_answer_about_the_patient_stands() -> None:
    cases = [case(f"p{n}", Level.L1, 0.9 * (n % 2), bool(n % 2)) for n in range(12)]
    whole = [case(f"p{n}", None, 0.9 * (1 - n % 2), bool(n % 2)) for n in range(12)]
    report = _compared(answers_of([*cases, *whole]), answers_of(cases, system="levels"))
    areas = [
        result.auc.value for row in report.rows if (result := row.of(Part.TEST, Unit.PATIENT)) and result.auc
    ]
    assert areas == [0.0, 1.0]


def test_what_was_said_of_patients_alone_answers_no_other_question() -> None:
    fractures, sickness = _both()
    whole = fractures.model_copy(update={"cases": tuple(c for c in fractures.cases if c.level is None)})
    with pytest.raises(InputError, match="says of no vertebra what sick_or_healthy asks"):
        _compared(
            whole.model_copy(update={"question": "altered_or_normal"}), sickness, question="sick_or_healthy"
        )


def test_the_page_says_where_models_of_folds_are_pooled() -> None:
    _, plain = _both()
    folds = plain.model_copy(
        update={
            "system": "folds",
            "cases": tuple(
                case.model_copy(update={"fold": f"fold-{n // 6}"}) for n, case in enumerate(plain.cases)
            ),
        }
    )
    said = "pairs of cases that one of them judged"
    assert said in render(_compared(folds, plain))
    assert said not in render(_compared(plain, plain.model_copy(update={"system": "other"})))


@pytest.mark.parametrize("name", ["v0.2", "v0.2.html", "v0.2.json"])
def test_a_name_with_a_dot_is_kept_whole(name: str, tmp_path: Path) -> None:
    pages = write_comparison(_compared(*_both(), question="sick_or_healthy"), tmp_path / name)
    assert [page.name for page in pages] == ["v0.2.html", "v0.2.json"]
    assert all(page.stat().st_size for page in pages)
