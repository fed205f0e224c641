"""What detectors answer goes by a name of its own, also where a patient was examined twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from several_studies import exam, write_cohort

from spine_fracture.anatomy import Diagnosis
from spine_fracture.bundle import Manifest
from spine_fracture.detection.tasks import DetectionTask
from spine_fracture.imaging import PAIR
from spine_fracture.training.detectors import answers as answering

BENIGN = Diagnosis.BENIGN_FRACTURE


class Sees:
    """A finder that finds nothing."""

    sequences = PAIR
    task = DetectionTask.KINDS
    manifest = Manifest(
        name="sees", task="detection", family="yolo", architecture={}, classes=(), config={}, seed=1,
        training_patients=(),
    )  # fmt: skip


class SeesNothing:
    def __init__(self, finder: Sees) -> None:
        self.finder = finder

    def detect(self, pixels: object) -> tuple[object, ...]:
        return ()


def test_pictures_of_later_studies_say_which_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering.BoxFinder, "load", lambda *_: Sees())
    monkeypatch.setattr(answering, "VertebraDetector", SeesNothing)
    studies = [exam("p", BENIGN, slices=2), exam("q", BENIGN), exam("p", BENIGN, slices=5)]
    boxes = answering.answer(tmp_path, write_cohort(tmp_path, studies)).boxes
    assert boxes is not None
    assert [(one.patient, one.picture) for one in boxes.pictures] == [
        ("p", "p/0"), ("p", "p/1"), ("q", "q/0"), ("p", "p/2/1"), ("p", "p/2/2"), ("p", "p/2/3"),
    ]  # fmt: skip
