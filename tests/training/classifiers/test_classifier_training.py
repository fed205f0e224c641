"""Training a classifier: cache, sampler, augmentation, loop, calibration, card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis
from spine_fracture.bundle import read_manifest
from spine_fracture.classification.classifier import LevelClassifier
from spine_fracture.classification.crops import level_crops, signal_reference, standardise
from spine_fracture.errors import InputError, InsufficientEvidenceError
from spine_fracture.geometry import PixelBox
from spine_fracture.training.classifiers.augmentation import augmented_view, plain_view
from spine_fracture.training.classifiers.cache import (
    CropCache,
    CropCacheWriter,
    LabelledLevel,
    LabelledStudy,
    joined,
    open_cache,
)
from spine_fracture.training.classifiers.card import write_card
from spine_fracture.training.classifiers.config import Augmentation, Balance, ClassifierTraining
from spine_fracture.training.classifiers.sampler import BalancedSampler
from spine_fracture.training.classifiers.training import add_metrics, train_classifier
from spine_fracture.training.learning.loop import Epoch

TINY = ClassifierTraining.model_validate(
    {
        "name": "tiny",
        "network": {"trunk": "resnet10", "width": 8},
        "augmentation": dict.fromkeys(Augmentation.model_fields, 0.0),
        "balance": {"prevalence": (0.25,) * 4},
        "schedule": {
            "epochs": 4, "steps": 10, "batch": 8, "learning_rate": 0.003, "beta1": 0.5
        },
    }
)  # fmt: skip


def study(number: int, rng: np.random.Generator) -> LabelledStudy:
    """Four bodies in a column, one of each class, told apart by their signal."""
    pixels = rng.normal(0.3, 0.02, (3, 2, 200, 90)).astype(np.float32)
    levels = []
    for at, diagnosis in enumerate(MODEL_CLASSES):
        top = 10 + 45 * at
        pixels[:, :, top : top + 30, 30:65] += 0.2
        if diagnosis is Diagnosis.BENIGN_FRACTURE:
            pixels[:, :, top : top + 12, 30:65] -= 0.2
        if diagnosis is Diagnosis.MALIGNANT:
            pixels[:, 0, top : top + 30, 30:65] -= 0.15
        if diagnosis is Diagnosis.HEMANGIOMA:
            pixels[:, :, top + 8 : top + 22, 40:55] += 0.25
        levels.append(LabelledLevel(((1, PixelBox(30, top, 65, top + 30)),), diagnosis))
    return LabelledStudy(f"patient-{number}", pixels.clip(0, 1), tuple(levels))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> CropCache:
    """Eight pictures, two of them held out."""
    folder = tmp_path_factory.mktemp("cache")
    rng = np.random.default_rng(0)
    with CropCacheWriter(folder, TINY.network.margin) as writer:
        for number in range(8):
            source = "phantom" if number % 2 else "simulated_in_real"
            writer.add(study(number, rng), source, held_out=number >= 6)
    return open_cache(folder)


@pytest.fixture(scope="module")
def trained(cache: CropCache, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained")
    train_classifier(cache, TINY, TINY.seed, out)
    return out


def test_a_cache_keeps_what_it_was_given(cache: CropCache) -> None:
    assert len(cache) == 32
    assert cache.crops.shape == (32, 6, 96, 96)
    assert cache.patients == tuple(f"patient-{n}" for n in range(8))
    assert len(cache.where(held_out=True)) == 8
    assert cache.column("label").tolist() == [0, 1, 2, 3] * 8
    assert len(set(cache.column("level"))) == 32


def test_levels_without_a_class_only_set_the_usual_signal(tmp_path: Path) -> None:
    whole = study(0, np.random.default_rng(0))
    one = tuple(
        LabelledLevel(level.boxes, level.diagnosis if at == 0 else None)
        for at, level in enumerate(whole.levels)
    )
    unsure = (LabelledLevel(whole.levels[1].boxes, Diagnosis.INDETERMINATE), *one)
    for name, levels in (("whole", whole.levels), ("one", one), ("unsure", unsure), ("none", one[1:])):
        with CropCacheWriter(tmp_path / name, 1.35) as writer:
            writer.add(LabelledStudy("p", whole.pixels, levels), "read", held_out=False)
    all_levels, first = open_cache(tmp_path / "whole"), open_cache(tmp_path / "one")
    assert (len(all_levels), len(first), len(open_cache(tmp_path / "none"))) == (4, 1, 0)
    np.testing.assert_array_equal(first.references[0], all_levels.references[0])
    assert len(open_cache(tmp_path / "unsure")) == 1


def test_an_unfinished_cache_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), CropCacheWriter(tmp_path, 1.35) as writer:
        writer.add(study(0, np.random.default_rng(0)), "read", held_out=False)
        _ = 1 / 0
    with pytest.raises(InputError, match="cache"):
        open_cache(tmp_path)


def test_caches_joined(cache: CropCache) -> None:
    both = joined([cache, cache])
    assert len(both) == 64
    assert both.patients == cache.patients
    assert len(set(both.column("level"))) == 64


def test_the_plain_view_is_what_the_served_classifier_reads(cache: CropCache) -> None:
    whole = study(0, np.random.default_rng(0))
    boxes = [level.boxes[0] for level in whole.levels]
    served = level_crops(whole.pixels, boxes, 64, 1.35)
    served = standardise(served, signal_reference(served, 1.35))
    view = plain_view(cache.crops[:4], cache.references[:4], 64, 1.35).numpy()
    assert np.abs(view - served).mean() < 0.15
    for a, b in zip(view.reshape(24, -1), served.reshape(24, -1), strict=True):
        assert np.corrcoef(a, b)[0, 1] > 0.97


def test_augmentation_that_changes_nothing_is_the_plain_view(cache: CropCache) -> None:
    still = Augmentation.model_validate(dict.fromkeys(Augmentation.model_fields, 0.0))
    view = augmented_view(cache.crops[:4], cache.references[:4], 64, 1.35, still, torch.Generator())
    torch.testing.assert_close(
        view, plain_view(cache.crops[:4], cache.references[:4], 64, 1.35), atol=1e-4, rtol=0
    )


def test_augmentation_is_seeded_and_never_fills_a_missing_sequence(cache: CropCache) -> None:
    crops = np.array(cache.crops)
    crops[:, 3:] = 0
    references = np.array(cache.references)
    references[:, 1] = (0, 1)
    first, again, other = (
        augmented_view(crops, references, 64, 1.35, Augmentation(), torch.Generator().manual_seed(seed))
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not first[:, 3:].any()
    assert torch.isfinite(first).all()


def test_either_sequence_and_neighbours_are_left_out_at_times(cache: CropCache) -> None:
    crops = np.random.default_rng(0).integers(1, 255, (400, 6, 96, 96), dtype=np.uint8)
    references = np.tile(np.array([[[0.5, 0.2]] * 2], np.float32), (400, 1, 1))
    view = augmented_view(
        crops, references, 16, 1.35, Augmentation(noise=0), torch.Generator().manual_seed(0)
    )
    has = view.reshape(400, 2, -1).abs().sum(dim=2) > 0
    assert has.any(dim=1).all()
    assert 30 < (~has[:, 0]).sum() < 90
    assert 30 < (~has[:, 1]).sum() < 90
    lone = (view[:, 1] == view[:, 0]).flatten(1).all(dim=1) & (view[:, 4] == view[:, 5]).flatten(1).all(dim=1)
    assert 150 < lone.sum() < 250


@pytest.mark.parametrize("acquired", [0, 1])
def test_a_sequence_is_not_left_out_where_the_other_was_not_acquired(cache: CropCache, acquired: int) -> None:
    crops = np.array(cache.crops).reshape(-1, 2, 3, 96, 96)
    crops[:, 1 - acquired] = 0
    view = augmented_view(
        crops.reshape(-1, 6, 96, 96), cache.references, 64, 1.35, Augmentation(missing=0.5),
        torch.Generator().manual_seed(0),
    ).reshape(-1, 2, 3, 64, 64)  # fmt: skip
    assert view[:, acquired].flatten(1).any(dim=1).all()
    assert not view[:, 1 - acquired].any()


def test_every_source_has_the_same_prevalence(cache: CropCache) -> None:
    teaching = cache.where(held_out=False)
    skewed = teaching[(cache.column("source")[teaching] == 1) | (np.arange(len(teaching)) % 8 < 6)]
    balance = Balance(prevalence=(0.4, 0.3, 0.2, 0.1), shares=(0.7, 0.3, 0.0))
    drawn = BalancedSampler(cache, skewed, balance).draw(8000, np.random.default_rng(0))
    assert set(drawn) <= set(skewed)
    source, label = cache.column("source")[drawn], cache.column("label")[drawn]
    assert (source == 0).mean() == pytest.approx(0.7, abs=0.03)
    for of_source in (0, 1):
        shares = np.bincount(label[source == of_source], minlength=4) / (source == of_source).sum()
        np.testing.assert_allclose(shares, (0.4, 0.3, 0.2, 0.1), atol=0.03)


def test_a_source_that_lacks_a_class_is_refused(cache: CropCache) -> None:
    teaching = cache.where(held_out=False)
    lacking = teaching[(cache.column("source")[teaching] == 0) | (cache.column("label")[teaching] != 2)]
    with pytest.raises(InsufficientEvidenceError, match="phantom"):
        BalancedSampler(cache, lacking, TINY.balance)
    drawn = BalancedSampler(cache, lacking, TINY.balance, every_class=False).draw(
        50, np.random.default_rng(0)
    )
    assert set(drawn) <= set(lacking)


def test_it_learns_eight_pictures_by_heart(cache: CropCache, trained: Path) -> None:
    manifest = read_manifest(trained)
    assert manifest.metrics["validation.simulated_in_real.macro_f1"] == 1
    assert manifest.metrics["validation.phantom.auc.malignant"] == 1
    assert manifest.training_patients == cache.patients
    fresh = study(99, np.random.default_rng(99))
    opinions = LevelClassifier.load(trained, "torch").classify(
        fresh.pixels, [level.boxes for level in fresh.levels]
    )
    assert [int(np.argmax(o.probabilities)) for o in opinions] == [0, 1, 2, 3]


def test_a_resumed_training_ends_where_an_unbroken_one_does(
    cache: CropCache, trained: Path, tmp_path: Path
) -> None:
    often = TINY.model_copy(update={"schedule": TINY.schedule.model_copy(update={"checkpoint_minutes": 0})})

    def stop(epoch: Epoch) -> None:
        if epoch.number == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_classifier(cache, often, TINY.seed, tmp_path, progress=stop)
    heard: list[int] = []
    again = train_classifier(cache, TINY, TINY.seed, tmp_path, progress=lambda e: heard.append(e.number))
    assert heard == [1, 2, 3, 4]  # those before the interruption are told again, not trained again
    assert again.manifest.sha256 == read_manifest(trained).sha256
    assert not (tmp_path / "checkpoint.pt").exists()


def test_going_on_from_a_champion(cache: CropCache, trained: Path, tmp_path: Path) -> None:
    reads = tmp_path / "reads"
    rng = np.random.default_rng(5)
    with CropCacheWriter(reads, TINY.network.margin) as writer:
        writer.add(study(50, rng), "read", held_out=False)
    brief = TINY.model_copy(
        update={
            "name": "next",
            "balance": Balance(shares=(0.3, 0.2, 0.5)),
            "schedule": TINY.schedule.model_copy(update={"epochs": 1}),
        }
    )
    manifest = train_classifier(open_cache(reads), brief, 1, tmp_path / "alone", initial=trained).manifest
    before = read_manifest(trained)
    assert manifest.temperature == before.temperature
    assert manifest.sha256 != before.sha256
    assert manifest.training_patients == (*before.training_patients, "patient-50")
    both = joined([cache, open_cache(reads)])
    mixed = train_classifier(both, brief, 1, tmp_path / "mixed", initial=trained)
    assert mixed.manifest.metrics["validation.simulated_in_real.macro_f1"] == 1


def test_figures_are_added_and_the_card_written(cache: CropCache, trained: Path) -> None:
    manifest = add_metrics(trained, cache, "test")
    assert manifest.sha256 == read_manifest(trained).sha256
    assert manifest.metrics["test.confusion.normal.normal"] == 8
    write_card(trained, manifest, None)
    assert 0.5 < manifest.metrics["test.auc.abnormal.t1_alone"] <= 1
    assert 0 <= manifest.metrics["test.auc.abnormal.t2_alone"] < manifest.metrics["test.phantom.auc.abnormal"]
    card = (trained / "MODEL_CARD.md").read_text()
    assert "Not for clinical use" in card
    assert manifest.version in card
    assert "| test | phantom | 16 |" in card
    LevelClassifier.load(trained, "torch")
