"""What is made from a cohort once: whole or not there, whatever became of whoever began it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spine_fracture.errors import InputError, StorageError
from spine_fracture.training.cohorts.cache import ArrayCache, CacheWriter
from spine_fracture.training.cohorts.derived_cache import derived_cache
from spine_fracture.training.cohorts.study_cache import StudyCache, StudyCacheWriter


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    with StudyCacheWriter(tmp_path / "studies", "empty"):
        pass
    return tmp_path


def write(folder: Path, studies: StudyCache) -> None:
    with CacheWriter(folder) as writer:
        writer.append(numbers=np.arange(3))


def test_it_is_made_once_and_again_for_other_numbers(cohort: Path) -> None:
    folder = derived_cache(cohort, "crops", (1, 2), write)
    again = derived_cache(cohort, "crops", (1, 2), lambda *asked: pytest.fail("it is there"))
    assert folder == again != derived_cache(cohort, "crops", (1, 3), write)


def test_a_making_that_failed_or_was_killed_leaves_nothing_behind(cohort: Path) -> None:
    def full(folder: Path, studies: StudyCache) -> None:
        (folder).mkdir()
        (folder / "half").write_bytes(b"0")
        raise StorageError("The disk is full: free some space.")

    for _ in range(2):
        with pytest.raises(StorageError, match="full"):
            derived_cache(cohort, "crops", (1,), full)
    folder = derived_cache(cohort, "crops", (1,), write)
    assert [path for path in (cohort / "caches").iterdir() if path.is_dir()] == [folder]
    assert not (folder / "half").exists() and ArrayCache.open(folder)


def test_a_damaged_one_is_named(cohort: Path) -> None:
    folder = derived_cache(cohort, "crops", (1,), write)
    (folder / "cache.json").unlink()
    with pytest.raises(InputError, match="damaged: remove it"):
        derived_cache(cohort, "crops", (1,), write)
