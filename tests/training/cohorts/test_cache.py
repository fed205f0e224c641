"""The array cache gives back what was written, and only when it was written to the end."""

import numpy as np
import pytest

from spine_fracture.errors import InputError
from spine_fracture.training.cohorts.cache import ArrayCache, CacheWriter


def test_rows_appended_in_batches_come_back_with_the_description(tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (7, 2, 5, 4), dtype=np.uint8)
    with CacheWriter(tmp_path) as writer:
        writer.append(pixels=pixels[:3], label=np.arange(3))
        writer.append(pixels=pixels[3:], label=np.arange(3, 7))
        writer.append(nothing=np.empty((0, 2), np.float32))
        writer.describe(patients=["a", "b"], seed=4)
    cache = ArrayCache.open(tmp_path)
    np.testing.assert_array_equal(cache["pixels"], pixels)
    np.testing.assert_array_equal(cache["label"], np.arange(7))
    assert cache["nothing"].shape == (0, 2)
    assert cache.description == {"patients": ["a", "b"], "seed": 4}


def test_arrays_cannot_be_written_through(tmp_path):
    with CacheWriter(tmp_path) as writer:
        writer.append(a=np.zeros((2, 2)))
    with pytest.raises(ValueError, match="read-only"):
        ArrayCache.open(tmp_path)["a"][0, 0] = 1


def test_interrupted_writing_leaves_no_cache_even_over_an_old_one(tmp_path):
    with CacheWriter(tmp_path) as writer:
        writer.append(a=np.zeros(3))
    with pytest.raises(RuntimeError), CacheWriter(tmp_path) as writer:
        writer.append(a=np.ones(2))
        raise RuntimeError
    with pytest.raises(InputError, match="write it again"):
        ArrayCache.open(tmp_path)


def test_rows_of_another_shape_or_type_are_refused(tmp_path):
    with CacheWriter(tmp_path) as writer:
        writer.append(a=np.zeros((1, 2), np.uint8))
        with pytest.raises(InputError, match="holds rows"):
            writer.append(a=np.zeros((1, 3), np.uint8))
        with pytest.raises(InputError, match="holds rows"):
            writer.append(a=np.zeros((1, 2), np.float32))


def test_truncated_array_is_noticed(tmp_path):
    with CacheWriter(tmp_path) as writer:
        writer.append(a=np.zeros((4, 4)))
    (tmp_path / "a.bin").write_bytes(b"0" * 9)
    with pytest.raises(InputError, match="should hold 128 bytes, not 9"):
        ArrayCache.open(tmp_path)


def test_unknown_array_names_those_there_are(tmp_path):
    with CacheWriter(tmp_path) as writer:
        writer.append(a=np.zeros(1))
    with pytest.raises(InputError, match="only a"):
        ArrayCache.open(tmp_path)["b"]
