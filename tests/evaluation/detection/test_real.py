"""Figures of a folder of real pictures: unseen and seen apart, the headline from unseen patients."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from spine_fracture.anatomy import Level
from spine_fracture.evaluation.detection.naming import NamedBox, PictureBoxes
from spine_fracture.evaluation.detection.real import PatientResult, assess, mean_overlap
from spine_fracture.evaluation.statistics.intervals import Resampling
from spine_fracture.geometry import PixelBox
from spine_fracture.lumbar_set import LumbarPatient, NotedFinding, ReferenceVertebra

LEVELS = (Level.L4, Level.L5, Level.S1)
BOXES = tuple(PixelBox(10, 60 * i, 60, 60 * i + 40) for i in range(3))
FEW = Resampling(draws=100)


def _result(name: str, *, seen: bool, moved: float = 0.0, names: tuple[Level, ...] = LEVELS) -> PatientResult:
    vertebrae = tuple(ReferenceVertebra(lv, b.corners(), b) for lv, b in zip(LEVELS, BOXES, strict=True))
    finding = NotedFinding("fracture", "L4", "")
    patient = LumbarPatient(name, Path("a"), Path("b"), vertebrae, (0.0, 0.0), (finding,), False)
    predicted = tuple(NamedBox(lv, b.shifted(moved, 0), 0.9) for lv, b in zip(names, BOXES, strict=True))
    reference = tuple(NamedBox(lv, b) for lv, b in zip(LEVELS, BOXES, strict=True))
    pictures = tuple(PictureBoxes(f"{name}-{s}", predicted, reference) for s in ("T1", "T2"))
    probabilities = dict.fromkeys(names, (0.9, 0.1, 0.0, 0.0)) | {Level.L4: (0.2, 0.8, 0.0, 0.0)}
    return PatientResult(patient, seen, pictures, probabilities)


def test_the_headline_is_that_of_unseen_patients() -> None:
    figures = assess([_result("1", seen=False, moved=5.0), _result("2", seen=True)], FEW)
    assert figures["headline"] == "unseen"
    assert figures["detection"] == figures["unseen"]["detection"]  # type: ignore[index]
    assert figures["seen"]["detection"]["map50_95"] == pytest.approx(1.0)  # type: ignore[index]
    assert figures["detection"]["map50_95"] < 1.0  # type: ignore[index]
    assert figures["detection"]["map50"] == pytest.approx(1.0)  # type: ignore[index]
    assert figures["findings"]["auc"] == 1.0  # type: ignore[index]
    assert figures["findings"]["levels"][0]["kind"] == "fracture"  # type: ignore[index]


def test_without_unseen_patients_the_headline_says_seen() -> None:
    figures = assess([_result("1", seen=True)], FEW)
    assert figures["headline"] == "seen" and "unseen" not in figures


def test_names_off_by_one_are_not_right() -> None:
    shifted = _result("1", seen=False, names=(Level.L3, Level.L4, Level.L5))
    figures = assess([shifted, _result("2", seen=False)], FEW)
    assert figures["naming"] == {"all_levels_correct": 0.5}
    assert mean_overlap(shifted.pictures[0]) == 0.0
    assert mean_overlap(_result("2", seen=False).pictures[0]) == 1.0


def test_a_group_without_references_has_no_detection_figures() -> None:
    bare = _result("1", seen=False)
    bare = replace(bare, pictures=tuple(replace(picture, reference=()) for picture in bare.pictures))
    figures = assess([bare, _result("2", seen=True)], FEW)
    assert figures["headline"] == "unseen"
    assert set(figures["detection"].values()) == {None}  # type: ignore[attr-defined]
    assert figures["naming"] == {"all_levels_correct": None}
    assert figures["findings"]["auc"] == 1.0  # type: ignore[index]
    assert figures["seen"]["detection"]["recall"] == 1.0  # type: ignore[index]
