"""A labelled study and an answer make a case; what teaches is never judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.errors import InputError
from spine_fracture.evaluation.answers import Part
from spine_fracture.training.cohorts.cases import case_of, study_cases
from spine_fracture.training.cohorts.study_cache import StudyCache


def test_a_level_is_a_case(small_cohort: Path) -> None:
    labels = {label.patient: label for label in StudyCache(small_cohort / "studies").labels}
    ill = labels["patient-27"]  # malignant L2, hemangioma L4, test patient of centre A
    case = case_of(ill, ill.levels[1], (0.1, 0.2, 0.6, 0.1))
    assert (case.part, case.level, case.truth) == (Part.TEST, Level.L2, Diagnosis.MALIGNANT)
    assert (case.centre, case.scanner, case.sequences) == ("A", "1.5 T", "T1+T2")
    assert (case.sex, case.age, case.note) == ("F", 60, "lung")
    assert case_of(ill, ill.levels[0], (1, 0, 0, 0)).note == ""
    external = labels["patient-02"]
    assert case_of(external, external.levels[0], (1, 0, 0, 0)).part is Part.EXTERNAL


def test_the_patient_is_what_the_index_vertebra_is(small_cohort: Path) -> None:
    """Which the answer is about, whatever graver there is elsewhere."""
    label = next(one for one in StudyCache(small_cohort / "studies").labels if one.patient == "patient-27")
    other = label.levels[0].model_copy(update={"diagnosis": Diagnosis.OTHER})
    label = label.model_copy(update={"levels": (other, *label.levels[1:]), "index_level": Level.L2})
    answered = [(level, (0.1, 0.2, 0.6, 0.1)) for level in label.levels]
    whole = [case for case in study_cases(label, answered, "malignant_or_benign") if case.level is None]
    assert [(case.truth, case.note) for case in whole] == [(Diagnosis.MALIGNANT, "lung")]
    assert all(case.level is not None for case in study_cases(label, answered, "sick_or_healthy"))


def test_what_teaches_is_never_judged(small_cohort: Path) -> None:
    label = StudyCache(small_cohort / "studies").labels[0]
    with pytest.raises(InputError, match="teaches"):
        case_of(label, label.levels[0], (1, 0, 0, 0))
