"""The classifier in the package: whole, small, honest about whom it has seen, and of some use."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import spine_fracture
from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.bundle import read_manifest
from spine_fracture.classification.classifier import LevelClassifier
from spine_fracture.cohort.splits import Split, split_of
from spine_fracture.dicom.pairing import scaled
from spine_fracture.evaluation.seen import is_seen
from spine_fracture.evaluation.statistics.metrics import auc
from spine_fracture.lumbar_set import read_grey, read_lumbar_set
from spine_fracture.simulation.recipe import PhantomRecipe
from spine_fracture.simulation.study import simulate_study
from spine_fracture.training.classifiers.samples import boxes_by_level

SHIPPED = Path(str(spine_fracture.__file__)).parent / "weights" / "classifier"


def test_it_is_small_and_has_a_card() -> None:
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 8e6
    manifest = read_manifest(SHIPPED)
    card = (SHIPPED / "MODEL_CARD.md").read_text()
    assert manifest.version in card
    assert "Not for clinical use" in card
    assert manifest.metrics["test.simulated_in_real.auc.abnormal"] > 0.9


def test_it_tells_altered_levels_of_a_phantom_it_has_not_seen() -> None:
    recipe = PhantomRecipe(
        name="small", patients=1, slices=5, first=Level.L1, last=Level.S1, even_levels=0.5, patient_shift=0
    )
    scores, altered = [], []
    model = LevelClassifier.load(SHIPPED)
    for seed in (900_001, 900_002):
        study = simulate_study(seed, recipe)
        pixels = np.stack([scaled(volume.pixels) for volume in study.volumes[:2]], axis=1)
        boxes = boxes_by_level(study.body_labels[1])
        opinions = model.classify(pixels, list(boxes.values()))
        scores += [1 - opinion.probabilities[0] for opinion in opinions]
        altered += [study.truth_of(level).diagnosis is not Diagnosis.NORMAL for level in boxes]
    found = auc(scores, altered)
    assert found is not None
    assert found > 0.8


def test_patients_with_findings_and_test_patients_were_not_seen(real_data: Path) -> None:
    listed = frozenset(read_manifest(SHIPPED).training_patients)
    for patient in read_lumbar_set(real_data / "lumbar_t1t2"):
        seen = is_seen(read_grey(patient.t1), read_grey(patient.t2), listed)
        assert seen == (not patient.findings and split_of(patient.key) is not Split.TEST)
