"""A labelled study and an answer make a case; what teaches is never judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.errors import InputError
from spine_fracture.evaluation.answers import Part
from spine_fracture.training.cohorts.cases import case_of
from spine_fracture.training.cohorts.study_cache import StudyCache


def test_a_level_and_the_patient_as_a_whole(small_cohort: Path) -> None:
    labels = {label.patient: label for label in StudyCache(small_cohort / "studies").labels}
    ill = labels["patient-27"]  # malignant L2, hemangioma L4, test patient of centre A
    case = case_of(ill, ill.levels[1], (0.1, 0.2, 0.6, 0.1))
    assert (case.part, case.level, case.truth) == (Part.TEST, Level.L2, Diagnosis.MALIGNANT)
    assert (case.centre, case.scanner, case.sequences) == ("A", "1.5 T", "T1+T2")
    assert (case.sex, case.age, case.note) == ("F", 60, "lung")
    assert case_of(ill, ill.levels[0], (1, 0, 0, 0)).note == ""
    whole = case_of(ill, None, (0.1, 0.2, 0.6, 0.1))
    assert (whole.level, whole.truth, whole.note) == (None, Diagnosis.MALIGNANT, "lung")
    benign = labels["patient-24"]
    assert case_of(benign, None, (1, 0, 0, 0)).truth is Diagnosis.BENIGN_FRACTURE
    assert case_of(labels["patient-02"], None, (1, 0, 0, 0)).part is Part.EXTERNAL


def test_what_teaches_is_never_judged(small_cohort: Path) -> None:
    label = StudyCache(small_cohort / "studies").labels[0]
    with pytest.raises(InputError, match="teaches"):
        case_of(label, label.levels[0], (1, 0, 0, 0))
