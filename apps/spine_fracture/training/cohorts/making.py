"""A simulated cohort on disk: made in parts, so that an interrupted making goes on, then joined.

The folder of a cohort holds ``studies/`` (a
:class:`spine_fracture.training.cohorts.study_cache.StudyCache`) and ``cohort.json``, which says what is in
it.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from spine_fracture.errors import InputError
from spine_fracture.evaluation.seen import picture_hash
from spine_fracture.lumbar_set import LumbarPatient, read_grey
from spine_fracture.training.cohorts.config import CohortConfig
from spine_fracture.training.cohorts.naming import CohortNaming, refuse_other
from spine_fracture.training.cohorts.studies import Recruit, make_study, recruits
from spine_fracture.training.cohorts.study_cache import CachedStudy, StudyCache, StudyCacheWriter
from spine_fracture.training.cohorts.summary import CohortSummary, read_summary, summarise, write_summary
from spine_fracture.training.processes import each

STUDIES = "studies"
_PARTS = "parts"
_PATIENTS_A_PART = 10


def make_cohort(
    config: CohortConfig, data: Path | None, out: Path, workers: int, tell: Callable[[int, int], None]
) -> CohortSummary:
    """Make the cohort in ``out``, or go on with one that was begun there; ``tell`` hears (done, of).

    ``data`` is the folder of real pictures. The result depends on neither ``workers`` nor interruptions.
    What is there is taken as it is, though code of now might make it otherwise: its name tells its content.
    Raises :class:`InputError` when ``out`` holds another cohort.
    """
    everybody = recruits(config, data)
    naming = CohortNaming(config.name, _made_of(config, everybody))
    if _is_there(out / STUDIES, naming.begins) and (summary := read_summary(out)) is not None:
        return summary
    parts = [everybody[at : at + _PATIENTS_A_PART] for at in range(0, len(everybody), _PATIENTS_A_PART)]
    folders = [out / _PARTS / f"{number:04d}" for number in range(len(parts))]
    tell(0, len(everybody))
    made = each(partial(_make_part, config, naming.part), parts, folders, workers=workers)
    for number, _ in enumerate(made):
        tell(min((number + 1) * _PATIENTS_A_PART, len(everybody)), len(everybody))
    with StudyCacheWriter(out / STUDIES, naming) as writer:
        for study in _studies(folders):
            writer.add(study)
    summary = summarise(StudyCache(out / STUDIES), config, writer.content)
    write_summary(summary, out)
    shutil.rmtree(out / _PARTS)
    return summary


def _make_part(config: CohortConfig, name: str, part: Sequence[Recruit], folder: Path) -> None:
    if _is_there(folder, name):
        return
    with StudyCacheWriter(folder, name) as writer:
        for recruit in part:
            writer.add(make_study(recruit, config))


def _studies(folders: Sequence[Path]) -> Iterator[CachedStudy]:
    return (study for folder in folders for study in StudyCache(folder))


def _is_there(folder: Path, begins: str) -> bool:
    """Whether the folder holds whole studies of a cohort whose name ``begins`` so; raises when it holds
    those of another.
    """
    try:
        found = StudyCache(folder)
    except InputError:
        return False
    refuse_other(found.name, begins, folder)
    return True


def _made_of(config: CohortConfig, everybody: Sequence[Recruit]) -> str:
    """sha256 of the configuration and the real pictures. Their outlines, and how far T1 lies from T2, decide
    on the cohort as well: of these the digest of its content tells.
    """
    digest = hashlib.sha256(config.model_dump_json().encode())
    for recruit in everybody:
        if isinstance(recruit, LumbarPatient):
            digest.update(picture_hash(read_grey(recruit.t1), read_grey(recruit.t2)).encode())
    return digest.hexdigest()
