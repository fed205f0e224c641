"""Patients have coherent disease."""

from __future__ import annotations

import numpy as np

from spine_fracture.anatomy import Diagnosis, Feature, Level, usual_levels
from spine_fracture.simulation.disease import Patient, draw_patient
from spine_fracture.simulation.recipe import DiseaseShares, PhantomRecipe


def _patients(count: int, **changes: object) -> list[Patient]:
    recipe = PhantomRecipe(name="test", patients=1, **changes)  # type: ignore[arg-type]
    rng = np.random.default_rng(0)
    return [draw_patient(usual_levels(), recipe, 65, rng) for _ in range(count)]


def _kinds(patient: Patient) -> set[Diagnosis]:
    return {finding.diagnosis for _, finding in patient.findings} - {Diagnosis.NORMAL}


def test_a_tumour_and_malignant_levels_go_together() -> None:
    for patient in _patients(300):
        malignant = [f for _, f in patient.findings if f.diagnosis is Diagnosis.MALIGNANT]
        assert bool(malignant) == (patient.primary_tumour is not None)
        assert {finding.primary for finding in malignant} <= {patient.primary_tumour}
        assert len(malignant) != 1 or Feature.SKIP_LESION not in malignant[0].features


def test_a_patient_has_one_disease_and_infection_takes_two_neighbours() -> None:
    serious = {Diagnosis.BENIGN_FRACTURE, Diagnosis.MALIGNANT, Diagnosis.OTHER}
    seen = set()
    for patient in _patients(400, disease=DiseaseShares(infection=0.3)):
        kinds = _kinds(patient) & serious
        assert len(kinds) <= 1
        seen |= kinds
        infected = [level.order for level, f in patient.findings if f.diagnosis is Diagnosis.OTHER]
        usual = [level.order for level in usual_levels()]
        if infected:
            first, second = (usual.index(order) for order in sorted(infected))
            assert second == first + 1
    assert seen == serious


def test_most_levels_are_normal_unless_the_recipe_evens_them() -> None:
    altered = np.mean(
        [len([1 for _, f in p.findings if f.diagnosis is not Diagnosis.NORMAL]) for p in _patients(300)]
    )
    assert altered < 0.15 * len(usual_levels())
    evened = _patients(100, even_levels=0.6)
    kinds = [f.diagnosis for p in evened for _, f in p.findings if f.diagnosis is not Diagnosis.NORMAL]
    share = len(kinds) / (100 * 22)  # C3 to L5
    assert 0.55 < share < 0.65
    for kind in (Diagnosis.BENIGN_FRACTURE, Diagnosis.MALIGNANT, Diagnosis.HEMANGIOMA):
        assert 0.29 < kinds.count(kind) / len(kinds) < 0.38


def test_findings_are_in_order_and_spare_the_atlas() -> None:
    for patient in _patients(50, even_levels=0.5):
        orders = [level.order for level, _ in patient.findings]
        assert orders == sorted(orders)
        assert Level.C1.order not in orders
