"""Labels that people type: plain statements are understood, doubts are not guessed away."""

from __future__ import annotations

import pytest

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.dicom.sr.labels import understand


@pytest.mark.parametrize(
    ("text", "level", "diagnosis"),
    [
        ("L3 malignant", Level.L3, Diagnosis.MALIGNANT),
        ("l3: Malignancy", Level.L3, Diagnosis.MALIGNANT),
        ("Metastasis T 12", Level.T12, Diagnosis.MALIGNANT),
        ("L1 benign_fracture 0.71", Level.L1, Diagnosis.BENIGN_FRACTURE),
        ("osteoporotic fracture, L-2", Level.L2, Diagnosis.BENIGN_FRACTURE),
        ("benign haemangioma L4", Level.L4, Diagnosis.HEMANGIOMA),
        ("S1 normal", Level.S1, Diagnosis.NORMAL),
        ("C7 indeterminate", Level.C7, Diagnosis.INDETERMINATE),
        ("L6", Level.L6, None),
        ("L9 malignant", None, Diagnosis.MALIGNANT),
        ("malignant", None, Diagnosis.MALIGNANT),
        ("length 12.3 mm", None, None),
        ("abnormal", None, None),
        ("", None, None),
    ],
)
def test_plain_statements(text: str, level: Level | None, diagnosis: Diagnosis | None) -> None:
    label = understand(text)
    assert (label.level, label.diagnosis, label.problem) == (level, diagnosis, "")


@pytest.mark.parametrize(
    "text",
    [
        "L3 malignant?",
        "L3 not malignant",
        "L3 possibly malignant",
        "no metastasis",
        "L3 benign vs malignant",
        "L3 and L4 malignant",
        "L3-L4",
    ],
)
def test_doubts_are_a_problem_and_no_class(text: str) -> None:
    label = understand(text)
    assert label.diagnosis is None and label.problem
