"""Projects with studies that the models have read, one training and one test patient."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from made_cohort import answer, ingested, reading

from spine_fracture.cohort.levels import store_reading
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.reads import ReadSubmission, submit_read
from spine_fracture.cohort.splits import Split, split_of

PATIENTS = {
    split: next(k for k in (f"phantom-{n:06d}" for n in range(99)) if split_of(k) is split) for split in Split
}


@dataclass(frozen=True)
class ReadStudy:
    """A study and the ids of its levels L1, L2 and L3."""

    project: Project
    uid: str
    levels: tuple[int, ...]

    def read(self, reader: str, number: int = 0, **changes: object) -> int:
        """A standing read of one level; returns its id."""
        with self.project.transaction() as session:
            return submit_read(session, self.submission(reader, number, **changes)).id

    def submission(self, reader: str, number: int = 0, **changes: object) -> ReadSubmission:
        plain = answer(self.levels[number], f"{reader}-{self.levels[number]}", reader=reader)
        return replace(plain, **changes)  # type: ignore[arg-type]


def read_study(project: Project, pictures: Path, split: Split = Split.TRAIN) -> ReadStudy:
    uid = ingested(project, PATIENTS[split], pictures)
    with project.transaction() as session:
        return ReadStudy(
            project, uid, tuple(level.id for level in store_reading(session, reading(session, uid)))
        )
