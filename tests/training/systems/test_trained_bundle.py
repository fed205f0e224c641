"""What every family's training leaves behind: a bundle that says how long it took, and no checkpoint."""

from __future__ import annotations

from pathlib import Path

import torch

from spine_fracture.bundle import read_bundle
from spine_fracture.evaluation.answers import Cost
from spine_fracture.training.systems.families import load_system
from spine_fracture.training.systems.trained_bundle import CHECKPOINT, classifier_manifest, write_trained


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
