"""What a cohort holds, counted and named, kept beside it so that results can be tied to it."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from spine_fracture.anatomy import Diagnosis
from spine_fracture.files import write_atomically
from spine_fracture.training.cohorts.config import CohortConfig
from spine_fracture.training.cohorts.study_cache import StudyCache, StudyLabel

_FILE = "cohort.json"
TRAINING = "training"


class CohortSummary(BaseModel):
    """``name`` is that of the studies' cache: the configuration's, a hash of all the cohort was made of, and
    the beginning of ``content``, the sha256 of every label and pixel.

    Counts are of patients. ``centres`` by centre and part; ``classes`` by part and class, a patient
    counting for each class that any level has; ``skip_lesions`` by class how many of those who have it have
    it in more than one vertebra.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    content: str
    patients: int
    centres: dict[str, dict[str, int]]
    classes: dict[str, dict[Diagnosis, int]]
    skip_lesions: dict[Diagnosis, tuple[int, int]]
    config: CohortConfig


def part_name(label: StudyLabel) -> str:
    """``training``, or what the study is judged in."""
    return TRAINING if label.part is None else label.part.value


def summarise(cache: StudyCache, config: CohortConfig, content: str) -> CohortSummary:
    """Count the studies of a cohort, one a patient."""
    centres: dict[str, Counter[str]] = defaultdict(Counter)
    classes: dict[str, Counter[Diagnosis]] = defaultdict(Counter)
    having: Counter[Diagnosis] = Counter()
    skipping: Counter[Diagnosis] = Counter()
    for label in cache.labels:
        centres[label.centre][part_name(label)] += 1
        levels = Counter(level.diagnosis for level in label.levels)
        classes[part_name(label)].update(levels.keys())
        for diagnosis in (Diagnosis.BENIGN_FRACTURE, Diagnosis.MALIGNANT):
            having[diagnosis] += levels[diagnosis] > 0
            skipping[diagnosis] += levels[diagnosis] > 1
    return CohortSummary(
        name=cache.name,
        content=content,
        patients=len(cache),
        centres={centre: dict(parts) for centre, parts in sorted(centres.items())},
        classes={part: dict(found) for part, found in sorted(classes.items())},
        skip_lesions={diagnosis: (skipping[diagnosis], having[diagnosis]) for diagnosis in having},
        config=config,
    )


def write_summary(summary: CohortSummary, cohort: Path) -> None:
    """Write ``cohort.json``, atomically."""
    write_atomically(cohort / _FILE, (summary.model_dump_json(indent=1) + "\n").encode())


def read_summary(cohort: Path) -> CohortSummary | None:
    """What :func:`write_summary` wrote; None where a cohort's folder has none, or not a whole one."""
    try:
        return CohortSummary.model_validate_json((cohort / _FILE).read_bytes())
    except (OSError, ValidationError):
        return None
