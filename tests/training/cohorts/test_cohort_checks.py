"""A cohort that can teach nothing is refused, with all that is missing named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from spine_fracture.anatomy import Diagnosis
from spine_fracture.errors import InsufficientEvidenceError
from spine_fracture.evaluation.answers import MALIGNANT_OR_BENIGN, SICK_OR_HEALTHY, Part
from spine_fracture.training.cohorts.checks import require_teachable
from spine_fracture.training.cohorts.study_cache import CachedStudy, StudyCache, StudyCacheWriter, StudyLabel


@pytest.fixture
def kept(small_cohort: Path, tmp_path: Path) -> Callable[[Callable[[StudyLabel], bool]], StudyCache]:
    """The studies of the small cohort that are asked for."""

    def keep(wanted: Callable[[StudyLabel], bool]) -> StudyCache:
        with StudyCacheWriter(tmp_path / "studies", "kept") as writer:
            for label in StudyCache(small_cohort / "studies").labels:
                if wanted(label):
                    writer.add(CachedStudy(label, np.zeros((1, 4, 8, 8), np.uint8)))
        return StudyCache(tmp_path / "studies")

    return keep


Keep = Callable[[Callable[[StudyLabel], bool]], StudyCache]


def has(label: StudyLabel, diagnosis: Diagnosis) -> bool:
    return any(level.diagnosis is diagnosis for level in label.levels)


def test_a_good_cohort_passes(kept: Keep) -> None:
    assert require_teachable(kept(lambda label: True), MALIGNANT_OR_BENIGN) == ()


def test_one_class_only(kept: Keep) -> None:
    benign = kept(lambda label: not has(label, Diagnosis.MALIGNANT))
    with pytest.raises(InsufficientEvidenceError, match="0 training patients have malignant"):
        require_teachable(benign, MALIGNANT_OR_BENIGN)


def test_everything_missing_is_named_at_once(kept: Keep) -> None:
    chosen = kept(lambda label: label.patient in ("patient-00", "patient-01", "patient-03"))
    with pytest.raises(InsufficientEvidenceError) as refused:
        require_teachable(chosen, MALIGNANT_OR_BENIGN)
    assert "2 training patients have malignant, it needs 3" in str(refused.value)
    assert "1 training patients have benign_fracture" in str(refused.value)
    assert "no validation patient" in str(refused.value)


def test_patients_who_are_judged_do_not_count_as_teaching(kept: Keep) -> None:
    judged = kept(lambda label: label.part in (Part.TEST, Part.EXTERNAL, Part.VALIDATION))
    with pytest.raises(InsufficientEvidenceError, match="0 training patients have malignant"):
        require_teachable(judged, MALIGNANT_OR_BENIGN)


def test_what_is_divided_anew_is_asked_for_patients_whatever_part_they_are_of(kept: Keep) -> None:
    without = kept(lambda label: label.part is not Part.VALIDATION)
    with pytest.raises(InsufficientEvidenceError, match="no validation patient"):
        require_teachable(without, MALIGNANT_OR_BENIGN)
    assert require_teachable(without, MALIGNANT_OR_BENIGN, divided_anew=True) == ()
    benign = kept(lambda label: not has(label, Diagnosis.MALIGNANT))
    with pytest.raises(InsufficientEvidenceError, match="0 patients have malignant"):
        require_teachable(benign, MALIGNANT_OR_BENIGN, divided_anew=True)


def test_a_centre_without_a_class_is_noted(kept: Keep) -> None:
    lacking = kept(lambda label: label.centre != "B" or not has(label, Diagnosis.MALIGNANT))
    (note,) = require_teachable(lacking, MALIGNANT_OR_BENIGN)
    assert "Centre B has no level with malignant" in note
    assert any("other" in text for text in require_teachable(lacking, SICK_OR_HEALTHY))
