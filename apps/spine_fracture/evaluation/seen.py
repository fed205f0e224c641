"""Which patients a model has seen, by their pictures: a renamed patient is still recognised."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

import numpy as np
import numpy.typing as npt


def picture_hash(t1: npt.NDArray[np.uint8], t2: npt.NDArray[np.uint8]) -> str:
    """sha256 (hex) of the grey levels of T1 followed by those of T2, each as decoded, uint8."""
    digest = hashlib.sha256()
    for picture in (t1, t2):
        digest.update(np.ascontiguousarray(picture, dtype=np.uint8).tobytes())
    return digest.hexdigest()


def is_seen(t1: npt.NDArray[np.uint8], t2: npt.NDArray[np.uint8], training_patients: Collection[str]) -> bool:
    """Whether a model whose manifest lists these hashes was trained or chosen on this pair."""
    return picture_hash(t1, t2) in training_patients
