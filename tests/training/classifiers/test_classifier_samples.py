"""Simulated findings in real-like pictures and phantoms become labelled levels."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis, Level
from spine_fracture.cohort.splits import Split, split_of
from spine_fracture.evaluation.seen import picture_hash
from spine_fracture.imaging import Sequence
from spine_fracture.lumbar_set import LumbarPatient, read_grey, read_lumbar_set
from spine_fracture.simulation.recipe import PhantomRecipe
from spine_fracture.simulation.study import simulate_study
from spine_fracture.training.classifiers.cache import SOURCES, open_cache
from spine_fracture.training.classifiers.config import ClassifierTraining
from spine_fracture.training.classifiers.samples import (
    boxes_by_level,
    draw_findings,
    export_samples,
    phantom_sample,
    phantom_seeds,
    real_pair,
    real_variants,
)

RECIPE = ClassifierTraining.model_validate(
    {
        "name": "narrow",
        "network": {"trunk": "resnet10", "width": 8},
        "samples": {
            "variants": 3,
            "judging_variants": 2,
            "training_phantoms": 0,
            "validation_phantoms": 0,
            "test_phantoms": 0,
        },
    }
)


def patient(folder: Path, number: int = 2) -> LumbarPatient:
    return read_lumbar_set(folder)[number]


def test_patients_with_a_note_and_of_other_splits_are_left_out(lumbar: Path, tmp_path: Path) -> None:
    counted = export_samples(RECIPE, lumbar, tmp_path, (Split.TRAIN, Split.VALIDATION))
    cache = open_cache(tmp_path)
    kept = [
        p
        for p in read_lumbar_set(lumbar)
        if not p.findings and split_of(p.key) in (Split.TRAIN, Split.VALIDATION)
    ]
    assert counted.real == len(kept) > 10
    assert set(cache.patients) == {picture_hash(read_grey(p.t1), read_grey(p.t2)) for p in kept}
    held_out = {cache.patients[i] for i in cache.column("patient")[cache.where(held_out=True)]}
    validating = [p for p in kept if split_of(p.key) is Split.VALIDATION]
    assert held_out == {picture_hash(read_grey(p.t1), read_grey(p.t2)) for p in validating}
    assert validating
    variants = [3 if split_of(p.key) is Split.TRAIN else 2 for p in kept]
    assert len(cache) == 6 * sum(variants)
    assert set(cache.column("source")) == {SOURCES.index("simulated_in_real")}
    assert set(cache.column("label")) == set(range(len(MODEL_CLASSES)))


def test_the_same_seed_gives_the_same_samples(lumbar: Path) -> None:
    first, again, other = (next(iter(real_variants(patient(lumbar), 1, 0.3, seed))) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.pixels, again.pixels)
    assert [level.diagnosis for level in first.levels] == [level.diagnosis for level in again.levels]
    assert not np.array_equal(first.pixels, other.pixels)


def test_normal_levels_pass_the_same_resampling(lumbar: Path) -> None:
    """Even far from any finding no pixel row is a plain copy of the picture."""
    pair = real_pair(patient(lumbar))
    for study in real_variants(patient(lumbar), 3, 0.0, 0):
        assert study.pixels.min() >= 0
        assert study.pixels.max() <= 1
        for level in study.levels:
            if level.diagnosis is Diagnosis.NORMAL:
                ((_, box),) = level.boxes
                part = np.s_[:, :, int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)]
                assert np.abs(study.pixels[part] - pair.pixels[part]).max() > 1e-3


def test_t1_is_moved_onto_t2(lumbar: Path) -> None:
    moved = real_pair(patient(lumbar, 1))
    original = read_grey(patient(lumbar, 1).t1)
    shifted = np.zeros_like(original)
    shifted[:, :-3] = original[:, 3:]
    assert np.corrcoef(moved.pixels[0, 0].ravel(), shifted.ravel())[0, 1] > 0.95
    assert moved.boxes[0].x0 == 42


def test_few_levels_of_a_patient_are_altered_and_the_sacrum_never_collapses() -> None:
    levels = tuple(Level(name) for name in ("L1", "L2", "L3", "L4", "L5", "S1"))
    rng = np.random.default_rng(0)
    counts: Counter[Diagnosis] = Counter()
    for _ in range(300):
        placed = draw_findings(levels, rng)
        assert len(placed) <= 3
        assert len({level for level, _ in placed}) == len(placed)
        counts.update(finding.diagnosis for _, finding in placed)
        assert all(f.diagnosis is not Diagnosis.BENIGN_FRACTURE for level, f in placed if level is Level.S1)
    assert set(counts) == set(MODEL_CLASSES) - {Diagnosis.NORMAL}
    assert min(counts.values()) > 100


def test_a_phantom_gives_several_slices_of_each_level() -> None:
    recipe = PhantomRecipe(
        name="tiny", patients=1, slices=7, first=Level.L3, last=Level.S1, even_levels=0.7, patient_shift=0
    )
    study = simulate_study(10, recipe)
    sample = phantom_sample(study, 3, 10)
    assert sample.pixels.shape[1] == 2
    assert sample.pixels.min() >= 0
    assert sample.pixels.max() <= 1
    labels = study.body_labels[[v.sequence for v in study.volumes].index(Sequence.T2)]
    assert len(sample.levels) == len(boxes_by_level(labels))
    for level in sample.levels:
        assert 1 <= len(level.boxes) <= 3
        for index, box in level.boxes:
            assert labels[index, int(box.centre[1]), int(box.centre[0])] > 0


def test_phantom_seeds_keep_to_their_split() -> None:
    for split, wanted in ((Split.TRAIN, 5), (Split.VALIDATION, 3), (Split.TEST, 4)):
        seeds = phantom_seeds(RECIPE.samples.recipe, split, wanted)
        assert len(set(seeds)) == wanted
        assert all(split_of(f"phantom-{seed:06d}") is split for seed in seeds)


def test_boxes_hold_the_whole_body() -> None:
    labels = np.zeros((3, 20, 30), np.uint8)
    labels[1, 4:9, 10:22] = 1 + Level.L4.order
    boxes = boxes_by_level(labels)
    assert list(boxes) == [Level.L4]
    ((index, box),) = boxes[Level.L4]
    assert index == 1
    assert box.as_tuple() == (10, 4, 22, 9)
