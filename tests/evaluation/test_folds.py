"""Folds by patient and by centre: nobody is judged by a model that saw them."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spine_fracture.anatomy import Diagnosis
from spine_fracture.cohort.splits import Split
from spine_fracture.errors import InsufficientEvidenceError
from spine_fracture.evaluation.folds import centre_folds, patient_folds

_KINDS = (Diagnosis.NORMAL, Diagnosis.BENIGN_FRACTURE, Diagnosis.MALIGNANT)
_cohorts = st.tuples(st.integers(10, 40), st.integers(0, 25), st.integers(0, 25)).map(
    lambda counts: {
        f"{kind}-{n}": kind for kind, count in zip(_KINDS, counts, strict=True) for n in range(count)
    }
)


@given(_cohorts, st.integers(3, 10), st.integers(0, 2**31))
@settings(max_examples=25, deadline=None)
def test_every_patient_is_judged_once_and_classes_are_even(
    classes: dict[str, Diagnosis], count: int, seed: int
) -> None:
    folds = patient_folds(classes, count, seed)
    assert len(folds) == count
    judged = Counter(patient for fold in folds for patient in fold.test)
    assert judged == Counter(dict.fromkeys(classes, 1))
    assert Counter(patient for fold in folds for patient in fold.validation) == judged
    for kind in (*_KINDS, None):
        sizes = [sum(kind in (None, classes[patient]) for patient in fold.test) for fold in folds]
        assert max(sizes) - min(sizes) <= 1
    for fold in folds:
        assert fold.training
        sides = Counter(patient for side in (fold.training, fold.validation, fold.test) for patient in side)
        assert sides == judged
        assert {fold.split_of(patient) for patient in fold.test} == {Split.TEST}
        assert fold.split_of("somebody else") is None


def test_folds_depend_on_the_seed_and_on_nothing_else() -> None:
    classes = {f"p{n}": _KINDS[n % 3] for n in range(60)}
    turned = dict(reversed(classes.items()))
    assert patient_folds(classes, 10, 1) == patient_folds(turned, 10, 1)
    assert patient_folds(classes, 10, 1) != patient_folds(classes, 10, 2)


@given(st.integers(40, 90), st.integers(0, 2**31))
@settings(max_examples=10, deadline=None)
def test_a_centre_is_judged_by_the_others(count: int, seed: int) -> None:
    classes = {f"p{n}": _KINDS[n % 3 if n % 5 else 0] for n in range(count)}
    centres = {patient: "ABBC"[n % 4] for n, patient in enumerate(classes)}
    folds = centre_folds(classes, centres, seed)
    assert [fold.name for fold in folds] == ["centre-A", "centre-B", "centre-C"]
    for fold in folds:
        assert fold.test == {patient for patient in classes if f"centre-{centres[patient]}" == fold.name}
        assert not fold.validation & fold.test
        assert len(fold.validation) == pytest.approx((count - len(fold.test)) / 10, abs=1)


def test_too_few_patients_or_centres_are_said_in_words() -> None:
    few = {f"p{n}": Diagnosis.NORMAL for n in range(9)}
    with pytest.raises(InsufficientEvidenceError, match="there are 9"):
        patient_folds(few, 10, 1)
    with pytest.raises(InsufficientEvidenceError, match="3 or more"):
        patient_folds(few, 2, 1)
    with pytest.raises(InsufficientEvidenceError, match="there are 0"):
        patient_folds({}, 10, 1)
    with pytest.raises(InsufficientEvidenceError, match="All patients are from A"):
        centre_folds(few, dict.fromkeys(few, "A"), 1)
