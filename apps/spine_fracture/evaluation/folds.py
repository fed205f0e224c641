"""Who teaches, chooses and is judged when everybody is to be judged by a model that never saw them.

Stratified k-fold cross-validation (Kohavi 1995, IJCAI) by patient, and leave one centre out.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from spine_fracture.anatomy import Diagnosis
from spine_fracture.cohort.splits import Split
from spine_fracture.errors import InsufficientEvidenceError

#: The share of the patients beside a centre that says when to stop is one in this many.
_CHOOSING = 10


@dataclass(frozen=True)
class Fold:
    """One training: ``test`` patients are judged, ``validation`` patients say when to stop, and everybody
    else of those divided teaches.
    """

    name: str
    validation: frozenset[str]
    test: frozenset[str]

    def split_of(self, patient: str) -> Split:
        """On which side this patient is."""
        if patient in self.test:
            return Split.TEST
        return Split.VALIDATION if patient in self.validation else Split.TRAIN


def patient_folds(classes: Mapping[str, Diagnosis], count: int, seed: int) -> tuple[Fold, ...]:
    """``count`` folds of the patients in ``classes``, each class as even over them as can be.

    Each patient is judged in one fold, and validates in the one before it: nobody who is judged has said
    when to stop. Raises :class:`InsufficientEvidenceError` where no class has ``count`` patients.
    """
    parts = _even_parts(classes, count, seed)
    return tuple(
        Fold(f"fold-{number + 1:02d}", parts[(number + 1) % count], part) for number, part in enumerate(parts)
    )


def centre_folds(classes: Mapping[str, Diagnosis], centres: Mapping[str, str], seed: int) -> tuple[Fold, ...]:
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
        validation = _even_parts(others, _CHOOSING, seed)[0]
        folds.append(Fold(f"centre-{name}", validation, frozenset(classes) - frozenset(others)))
    return tuple(folds)


def _even_parts(classes: Mapping[str, Diagnosis], count: int, seed: int) -> tuple[frozenset[str], ...]:
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
