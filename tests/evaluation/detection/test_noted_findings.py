"""Which levels count in the check of noted findings, and what the AUC says of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spine_fracture.anatomy import Level
from spine_fracture.evaluation.detection.findings import judge, scored_levels
from spine_fracture.evaluation.statistics.intervals import Resampling
from spine_fracture.geometry import PixelBox
from spine_fracture.lumbar_set import LumbarPatient, NotedFinding, ReferenceVertebra

FEW = Resampling(draws=200)
LUMBAR = (Level.L1, Level.L2, Level.L3, Level.L4, Level.L5, Level.S1)


def _patient(name: str, *findings: NotedFinding) -> LumbarPatient:
    boxes = [PixelBox(0, 40 * i, 40, 40 * i + 30) for i in range(6)]
    vertebrae = tuple(
        ReferenceVertebra(level, box.corners(), box) for level, box in zip(LUMBAR, boxes, strict=True)
    )
    return LumbarPatient(name, Path("a"), Path("b"), vertebrae, (0.0, 0.0), findings, False)


def _answers(abnormal: dict[Level, float]) -> dict[Level, tuple[float, ...]]:
    return {level: (1 - abnormal.get(level, 0.1), abnormal.get(level, 0.1), 0.0, 0.0) for level in LUMBAR}


def test_noted_levels_against_the_others_of_the_same_patient() -> None:
    patient = _patient("1", NotedFinding("fracture", "L2,L4", ""), NotedFinding("hemangioma", "T12", ""))
    rows, unscored = scored_levels(patient, _answers({Level.L2: 0.9, Level.L4: 0.8}))
    assert {row.level for row in rows if row.kind} == {Level.L2, Level.L4}
    assert len(rows) == 6
    assert [(note.level_text, note.reason) for note in unscored] == [("T12", "no reference box")]
    result = judge(rows, unscored, FEW)
    assert result.auc == 1.0
    assert result.auc_by_kind == {"fracture": 1.0}


def test_a_noted_level_that_was_not_found_scores_zero() -> None:
    answers = _answers({})
    del answers[Level.L3]
    rows, _ = scored_levels(_patient("1", NotedFinding("hemangioma", "L3", "")), answers)
    (noted,) = [row for row in rows if row.kind]
    assert noted.score == 0.0 and noted.probabilities is None
    assert judge(rows, (), FEW).auc == 0.0


@pytest.mark.parametrize(
    "findings",
    [
        (),
        (NotedFinding("diffuse low marrow signal", "", ""), NotedFinding("fracture", "L2", "")),
        (NotedFinding("fracture+fixation", "L2", ""),),
        (NotedFinding("hemangioma", "multiple", ""),),
    ],
)
def test_patients_without_a_scored_finding_give_no_levels(findings: tuple[NotedFinding, ...]) -> None:
    rows, _ = scored_levels(_patient("1", *findings), _answers({}))
    assert rows == ()
    assert judge(rows, (), FEW).auc is None


def test_where_only_altered_levels_are_outlined_there_is_nothing_to_set_them_against() -> None:
    rows = [
        row
        for number in "12"
        for row in scored_levels(_patient(number, NotedFinding("fracture", "L2", "")), _answers({}))[0]
        if row.kind
    ]
    result = judge(rows, (), FEW)
    assert len(rows) == 2 and result.auc is None and result.interval is None


def test_the_interval_is_by_patient_and_holds_the_value() -> None:
    generator = np.random.default_rng(0)
    rows = [
        row
        for number in range(12)
        for row in scored_levels(
            _patient(str(number), NotedFinding("fracture", "L2", "")),
            _answers(
                {level: float(generator.uniform(0, 0.6) + 0.3 * (level is Level.L2)) for level in LUMBAR}
            ),
        )[0]
    ]
    result = judge(rows, (), FEW)
    assert result.auc is not None and result.interval is not None
    assert result.interval.low < result.auc < result.interval.high
