"""Whether a cohort can teach a model anything, asked before a training rather than found out after it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from spine_fracture.anatomy import Diagnosis
from spine_fracture.errors import InsufficientEvidenceError
from spine_fracture.evaluation.answers import Part, Question
from spine_fracture.training.cohorts.study_cache import StudyCache, StudyLabel

#: Training patients that each side of a question needs at the very least.
FEWEST = 3


def require_teachable(
    cache: StudyCache, question: Question, *, divided_anew: bool = False
) -> tuple[str, ...]:
    """Notes for the reader of the training's report: which centre has none of a class.

    Raises :class:`InsufficientEvidenceError`, naming everything that is missing, when either side of the
    question has fewer than :data:`FEWEST` training patients, or no validation patient is there to say when
    to stop. Test and external patients are looked at for the notes alone; where the cohort is
    ``divided_anew``, in folds, all patients teach.
    """
    labels = cache.labels
    if divided_anew:
        missing = _missing_sides(labels, question, "patients")
    else:
        taught = [label for label in labels if label.part is None]
        missing = _missing_sides(taught, question, "training patients")
        missing += _missing_validation(labels, question)
    if missing:
        raise InsufficientEvidenceError(
            f"The cohort {cache.name} cannot teach {question.name}: {'; '.join(missing)}. "
            "Add patients (read more levels, or simulate more), or ask another question."
        )
    return _notes(labels, question)


def _missing_sides(labels: Sequence[StudyLabel], question: Question, who: str) -> list[str]:
    """``labels`` are those of the patients who may teach, called ``who``."""
    missing = []
    for side in (question.positive, question.negative):
        there = len({label.patient for label in labels if _has(label, side)})
        if there < FEWEST:
            missing.append(f"{there} {who} have {_named(side)}, it needs {FEWEST}")
    return missing


def _missing_validation(labels: Sequence[StudyLabel], question: Question) -> list[str]:
    sides = (*question.positive, *question.negative)
    if any(label.part is Part.VALIDATION and _has(label, sides) for label in labels):
        return []
    return [f"no validation patient has {_named(sides)}, so nothing says when to stop"]


def _notes(labels: Sequence[StudyLabel], question: Question) -> tuple[str, ...]:
    by_centre: dict[str, Counter[Diagnosis]] = defaultdict(Counter)
    for label in labels:
        by_centre[label.centre].update(level.diagnosis for level in label.levels)
    return tuple(
        f"Centre {centre} has no level with {diagnosis}: what is said of it there rests on other centres."
        for centre, found in sorted(by_centre.items())
        for diagnosis in (*question.positive, *question.negative)
        if not found[diagnosis]
    )


def _has(label: StudyLabel, diagnoses: Sequence[Diagnosis]) -> bool:
    return any(level.diagnosis in diagnoses for level in label.levels)


def _named(diagnoses: Sequence[Diagnosis]) -> str:
    return " or ".join(diagnoses)
