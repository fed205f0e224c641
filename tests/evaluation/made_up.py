"""Answers of made-up models about made-up patients."""

from __future__ import annotations

from collections.abc import Sequence

from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis, Level
from spine_fracture.evaluation.answers import Answers, Case, Part

LEVELS = (Level.C7, Level.T12, Level.L1, Level.L2)


def case(
    patient: str,
    level: Level | None,
    score: float,
    malignant: bool,
    *,
    part: Part = Part.TEST,
    **more: object,
) -> Case:
    """A fracture that a model calls malignant with ``score``."""
    return Case.model_validate(
        {
            "part": part,
            "patient": patient,
            "level": level,
            "truth": Diagnosis.MALIGNANT if malignant else Diagnosis.BENIGN_FRACTURE,
            "probabilities": (0.0, 1 - score, score, 0.0),
            **more,
        }
    )


def answers_of(cases: Sequence[Case], *, system: str = "made-up", seed: int = 0) -> Answers:
    return Answers(
        system=system,
        version=f"{system}-{seed}",
        seed=seed,
        cohort="made-up",
        question="malignant_or_benign",
        classes=MODEL_CLASSES,
        cases=tuple(cases),
    )
