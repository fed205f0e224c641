"""Which patients a model has seen, by their pictures: a renamed patient is still recognised."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable

import numpy as np
import numpy.typing as npt

from spine_fracture.errors import InputError
from spine_fracture.evaluation.answers import Case, Part
from spine_fracture.evaluation.boxes import PictureAnswer


def picture_hash(t1: npt.NDArray[np.uint8], t2: npt.NDArray[np.uint8]) -> str:
    """sha256 (hex) of the grey levels of T1 followed by those of T2, each as decoded, uint8."""
    digest = hashlib.sha256()
    for picture in (t1, t2):
        digest.update(np.ascontiguousarray(picture, dtype=np.uint8).tobytes())
    return digest.hexdigest()


def is_seen(t1: npt.NDArray[np.uint8], t2: npt.NDArray[np.uint8], training_patients: Collection[str]) -> bool:
    """Whether a model whose manifest lists these hashes was trained or chosen on this pair."""
    return picture_hash(t1, t2) in training_patients


def refuse_seen(
    version: str, training_patients: Collection[str], judged: Iterable[Case | PictureAnswer]
) -> None:
    """Raises :class:`InputError` where patients of the test or an external part taught the model ``version``
    or said when it stopped.

    Patients are told by their keys: of a model whose manifest lists hashes of pictures nothing can be said.
    """
    asked = {case.patient for case in judged if case.part is not Part.VALIDATION}
    seen = asked.intersection(training_patients)
    if seen:
        raise InputError(
            f"{version} learnt from {len(seen)} of the {len(asked)} test and external patients: judge it on "
            "the cohort that it was trained on, divided as it was then, or on one of other patients."
        )
