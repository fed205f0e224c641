"""What is made once from the studies of a cohort and kept beside them, for all trainings that need it."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from spine_fracture.errors import InputError
from spine_fracture.files import locked
from spine_fracture.training.cohorts.cache import ArrayCache
from spine_fracture.training.cohorts.study_cache import StudyCache


def derived_cache(
    cohort: Path, kind: str, depends: Sequence[float], write: Callable[[Path, StudyCache], None]
) -> Path:
    """The folder of a cache in ``cohort / "caches"``, made by ``write`` where there is none that fits.

    It fits while the studies, their labels and division, and the numbers in ``depends`` are the same.
    """
    studies = cohort / "studies"
    folder = cohort / "caches" / f"{kind}-{_key(studies, depends)}"
    if _is_whole(folder):
        return folder
    with locked(folder.parent):  # of trainings that start together one makes it
        if _is_whole(folder):
            return folder
        if folder.exists():
            raise InputError(f"{folder} is damaged: remove it, and it is made again.")
        # Written beside and moved into place; what a process that was killed left there makes room.
        unfinished = folder.with_name(f"{kind}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        write(unfinished, StudyCache(studies))
        unfinished.rename(folder)
    return folder


def _key(studies: Path, depends: Sequence[float]) -> str:
    try:
        described, pixels = (studies / "cache.json").read_bytes(), (studies / "pixels.bin").stat()
    except OSError as error:
        raise InputError(f"{studies.parent} has no studies: make a cohort there first.") from error
    facts = [*depends, pixels.st_size, pixels.st_mtime_ns]
    return hashlib.sha256(described + json.dumps(facts).encode()).hexdigest()[:12]


def _is_whole(folder: Path) -> bool:
    try:
        ArrayCache.open(folder)
    except InputError:
        return False
    return True
