"""Who has a second altered vertebra is decided by the recipe, exactly, and changes nobody else."""

from __future__ import annotations

import hashlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from spine_fracture.anatomy import Diagnosis, Feature, Level, usual_levels
from spine_fracture.simulation.disease import Patient, draw_patient
from spine_fracture.simulation.recipe import DiseaseShares, PhantomRecipe, SkipLesions

KINDS = (Diagnosis.BENIGN_FRACTURE, Diagnosis.MALIGNANT)
LUMBAR = tuple(level for level in usual_levels() if level.order >= Level.T12.order)
#: Drawn before skip lesions could be asked for: phantoms of published weights must not change.
BEFORE = "90fef9ed180e500d"
#: In steps, as the binomial distribution of SciPy overflows at shares next to nothing.
SHARES = st.integers(0, 1000).map(lambda thousandths: thousandths / 1000)


def _patients(
    number: int, skips: SkipLesions | None, seed: int = 0, levels: tuple[Level, ...] = LUMBAR
) -> list[Patient]:
    disease = DiseaseShares(osteoporosis=0.5, malignant=0.5, infection=0)
    recipe = PhantomRecipe(name="test", patients=1, disease=disease, skip_lesions=skips)
    rng = np.random.default_rng(seed)
    return [draw_patient(levels, recipe, 65, rng) for _ in range(number)]


def _ill(patient: Patient) -> list[tuple[Level, Diagnosis, frozenset[Feature]]]:
    return [(level, f.diagnosis, f.features) for level, f in patient.findings if f.diagnosis in KINDS]


@settings(max_examples=12, deadline=None)
@given(SHARES, SHARES, st.integers(0, 2**31))
def test_shares_are_exact_and_the_feature_agrees(benign: float, malignant: float, seed: int) -> None:
    having = dict.fromkeys(KINDS, 0)
    skipping = dict.fromkeys(KINDS, 0)
    for patient in _patients(300, SkipLesions(benign=benign, malignant=malignant), seed):
        found = _ill(patient)
        (kind,) = {diagnosis for _, diagnosis, _ in found}
        having[kind] += 1
        skipping[kind] += len(found) > 1
        assert {Feature.SKIP_LESION in features for _, _, features in found} == {len(found) > 1}
        assert len(found) <= 5
        assert patient.index_level in {level for level, _, _ in found}
    for kind, share in zip(KINDS, (benign, malignant), strict=True):
        assert binomtest(skipping[kind], having[kind], share).pvalue > 1e-6


def test_the_ends_of_the_range() -> None:
    for patient in _patients(200, SkipLesions(benign=0, malignant=1)):
        found = _ill(patient)
        assert (len(found) > 1) == (found[0][1] is Diagnosis.MALIGNANT)


@settings(max_examples=5, deadline=None)
@given(st.floats(0.2, 1), st.integers(0, 2**31))
def test_equal_shares_leave_nothing_to_count(share: float, seed: int) -> None:
    levels = (*LUMBAR, Level.S1)
    patients = _patients(1500, SkipLesions(benign=share, malignant=share), seed, levels)
    found = [_ill(patient) for patient in patients]
    number = np.array([len(each) for each in found])
    malignant = np.array([each[0][1] is Diagnosis.MALIGNANT for each in found])
    for weight in (np.ones(len(number)), number):  # by patient, by altered vertebra
        assert abs(roc_auc_score(malignant, number, sample_weight=weight) - 0.5) < 0.09
    assert not any(level is Level.S1 for each in found for level, _, _ in each)


def test_the_defaults_are_the_published_counts() -> None:
    assert SkipLesions() == SkipLesions(benign=8 / 140, malignant=39 / 50)


def test_without_them_patients_are_those_of_before() -> None:
    digest = hashlib.sha256()
    for changes in ({}, {"even_levels": 0.4}):
        recipe = PhantomRecipe.model_validate({"name": "test", "patients": 1, **changes})
        rng = np.random.default_rng(0)
        for _ in range(200):
            patient = draw_patient(usual_levels(), recipe, 65, rng)
            for level, f in patient.findings:
                drawn = (level, f.diagnosis, *sorted(f.features), f.primary, f.pattern, f.variant)
                digest.update(" ".join(map(str, drawn)).encode())
        digest.update(str(rng.integers(2**40)).encode())
    assert digest.hexdigest()[:16] == BEFORE


def test_disease_keeps_to_the_levels_it_is_confined_to() -> None:
    recipe = PhantomRecipe(name="test", patients=1, findings_from=Level.L1, variants=1)
    rng = np.random.default_rng(0)
    for _ in range(100):
        patient = draw_patient(usual_levels(), recipe, 65, rng)
        ill = [level for level, f in patient.findings if f.diagnosis is not Diagnosis.NORMAL]
        assert all(level.order >= Level.L1.order for level in ill)
        assert any(level is Level.T5 for level, _ in patient.findings)
