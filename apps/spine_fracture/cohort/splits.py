"""Which patients teach, which choose, and which only judge: decided by the patient's key alone.

A split, once given, never changes. It depends on nothing but the pseudonymous key, so that the
same patient falls on the same side in every project, and nobody can pick who is tested on.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum

_SALT = "spine-fracture/split/1:"
_TEST_BELOW = 20
_VALIDATION_BELOW = 30


class Split(StrEnum):
    """A fifth of the patients is the locked test set, a tenth validates, the rest trains."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


def split_of(patient_key: str) -> Split:
    """The split of the patient with this pseudonymous key, e.g. ``lumbar-t1t2-0002``."""
    digest = hashlib.sha256((_SALT + patient_key).encode()).digest()
    bucket = int.from_bytes(digest[:8], "big") % 100
    if bucket < _TEST_BELOW:
        return Split.TEST
    return Split.VALIDATION if bucket < _VALIDATION_BELOW else Split.TRAIN
