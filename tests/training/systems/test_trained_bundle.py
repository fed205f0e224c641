"""What every family's training leaves behind: a bundle that says how long it took, and no checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
import torch

from spine_fracture.bundle import read_bundle
from spine_fracture.evaluation.answers import Cost
from spine_fracture.training.learning.checkpoint import Checkpointing
from spine_fracture.training.learning.loop import Task
from spine_fracture.training.systems import trained_bundle
from spine_fracture.training.systems.families import load_system
from spine_fracture.training.systems.family import with_settings
from spine_fracture.training.systems.trained_bundle import CHECKPOINT, classifier_manifest, write_trained


def test_a_checkpoint_is_of_what_the_training_reads(
    small_cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Checkpointing] = []
    monkeypatch.setattr(trained_bundle, "fit", lambda *asked: kept.append(asked[3]))
    config = load_system("yolo11n").config
    others = config.model_copy(update={"notes": "Others.", "seed": 9})
    never_begun = cast(Task[Any], None)
    for one in (config, others, with_settings(config, {"sources.slices": 2})):
        trained_bundle.fit_on_cohort(never_begun, one, small_cohort, tmp_path, 1, print)
    assert kept[0].about == kept[1].about != kept[2].about


def test_the_bundle_takes_the_place_of_the_checkpoint(tmp_path: Path) -> None:
    config = load_system("whole_study").config
    (tmp_path / CHECKPOINT).write_bytes(b"under way")
    manifest = classifier_manifest(config, 3, config.schedule, ("a", "b"), ("p",), 2.0, {"auc": 0.5})
    cost = Cost(seconds=1, pictures=2, waited=0, device="cpu", epochs=7, best_epoch=4)
    trained = write_trained(tmp_path, {"w": torch.ones(1)}, cost, manifest, {"trees.txt": b"oak"})
    written, state = read_bundle(tmp_path)
    assert written == trained.manifest and trained.cost == cost and state.keys() == {"w"}
    assert list(written.metrics.items()) == [("epochs", 7.0), ("best_epoch", 4.0), ("auc", 0.5)]
    assert (written.family, written.seed, written.temperature) == ("whole_study", 3, 2.0)
    assert written.config == config.model_dump(mode="json") and written.attachments.keys() == {"trees.txt"}
    assert not (tmp_path / CHECKPOINT).exists()
