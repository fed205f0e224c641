"""Who teaches, chooses and is judged when everybody is to be judged by a model that never saw them.

Stratified k-fold cross-validation (Kohavi 1995, IJCAI) by patient, and leave one centre out.
"""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from spine_fracture.cohort.splits import Split
from spine_fracture.errors import InsufficientEvidenceError
from spine_fracture.evaluation.answers import Case, Part
from spine_fracture.evaluation.boxes import PictureAnswer

#: The share of the patients beside a centre that says when to stop is one in this many.
_CHOOSING = 10


@dataclass(frozen=True)
class Fold:
    """One training: ``training`` patients teach, ``validation`` patients say when to stop, ``test`` patients
    are judged.
    """

    name: str
    training: frozenset[str]
    validation: frozenset[str]
    test: frozenset[str]

    def split_of(self, patient: str) -> Split | None:
        """On which side this patient is; None for one who takes no part."""
        sides = {Split.TRAIN: self.training, Split.VALIDATION: self.validation, Split.TEST: self.test}
        return next((split for split, patients in sides.items() if patient in patients), None)


def patient_folds(classes: Mapping[str, str], count: int, seed: int) -> tuple[Fold, ...]:
    """``count`` folds of the patients in ``classes``, each class (a diagnosis, or finer) as even over them as
    can be.

    Each patient is judged in one fold, and validates in the one before it: nobody who is judged has said
    when to stop. Raises :class:`InsufficientEvidenceError` where no class has ``count`` patients, or
    ``count`` is less than three.
    """
    if count < 3:
        raise InsufficientEvidenceError(
            f"{count} folds leave nobody to teach beside those who choose and are judged: take 3 or more."
        )
    parts = _even_parts(classes, count, seed)
    return tuple(
        _fold(f"fold-{number + 1:02d}", classes, parts[(number + 1) % count], test)
        for number, test in enumerate(parts)
    )


def centre_folds(classes: Mapping[str, str], centres: Mapping[str, str], seed: int) -> tuple[Fold, ...]:
    """One fold a centre, all of whose patients are judged; a tenth of the others says when to stop.

    ``centres`` has the centre of each patient in ``classes``. Raises :class:`InsufficientEvidenceError` where
    there is one centre alone, or too few patients beside one.
    """
    names = sorted(set(centres.values()))
    if len(names) < 2:
        raise InsufficientEvidenceError(
            f"All patients are from {' or '.join(names) or 'no centre'}: leaving one out takes two at least."
        )
    folds = []
    for name in names:
        others = {patient: found for patient, found in classes.items() if centres[patient] != name}
        try:
            validation = _even_parts(others, _CHOOSING, seed)[0]
        except InsufficientEvidenceError:
            raise InsufficientEvidenceError(
                f"Beside centre {name} no class has {_CHOOSING} patients, a tenth of whom could say when to "
                "stop: add patients, or divide them by patient with a few --folds."
            ) from None
        folds.append(_fold(f"centre-{name}", classes, validation, frozenset(classes) - frozenset(others)))
    return tuple(folds)


def folds_told(cases: Iterable[Case | PictureAnswer]) -> tuple[Fold, ...]:
    """The folds in which ``cases`` were answered, by the patients who have any; none where they were answered
    by one model.

    Everybody is judged in one fold, and teaches wherever they neither are judged nor say when to stop.
    """
    patients: dict[tuple[str, Part], set[str]] = defaultdict(set)
    for case in cases:
        patients[case.fold, case.part].add(case.patient)
    names = sorted({name for name, part in patients if name and part is Part.TEST})
    everybody = dict.fromkeys((p for name in names for p in patients[name, Part.TEST]), "")
    return tuple(
        _fold(name, everybody, *(frozenset(patients[name, part]) for part in (Part.VALIDATION, Part.TEST)))
        for name in names
    )


def _fold(name: str, classes: Mapping[str, str], validation: frozenset[str], test: frozenset[str]) -> Fold:
    return Fold(name, frozenset(classes) - validation - test, validation, test)


def _even_parts(classes: Mapping[str, str], count: int, seed: int) -> tuple[frozenset[str], ...]:
    from sklearn.model_selection import StratifiedKFold

    largest = max(Counter(classes.values()).values(), default=0)
    if largest < count:
        raise InsufficientEvidenceError(
            f"{count} even parts need {count} patients of one class at least, and there are {largest}: add "
            "patients, or choose fewer folds."
        )
    patients = sorted(classes)
    divider = StratifiedKFold(count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")  # a rare one is dealt out too
        parts = divider.split(patients, [classes[patient] for patient in patients])
        return tuple(frozenset(patients[at] for at in chosen) for _, chosen in parts)
