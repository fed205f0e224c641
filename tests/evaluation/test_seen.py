"""A patient is recognised by its pictures, whatever its name."""

from __future__ import annotations

import hashlib

import numpy as np

from spine_fracture.evaluation.seen import is_seen, picture_hash


def test_the_hash_is_of_t1_then_t2() -> None:
    t1, t2 = np.arange(12, dtype=np.uint8).reshape(3, 4), np.ones((3, 4), np.uint8)
    assert picture_hash(t1, t2) == hashlib.sha256(t1.tobytes() + t2.tobytes()).hexdigest()
    assert picture_hash(t1, t2) != picture_hash(t2, t1)
    assert picture_hash(np.asfortranarray(t1), t2) == picture_hash(t1, t2)


def test_seen_or_not() -> None:
    t1, t2 = np.zeros((2, 2), np.uint8), np.ones((2, 2), np.uint8)
    assert is_seen(t1, t2, (picture_hash(t1, t2),))
    assert not is_seen(t2, t1, (picture_hash(t1, t2),))
