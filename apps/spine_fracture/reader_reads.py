"""What each reader said of the test patients of a snapshot, to be set beside the models that it judges."""

from __future__ import annotations

from collections.abc import Collection

from spine_fracture.cohort.project import Project
from spine_fracture.cohort.snapshots import find_snapshot, read_snapshot
from spine_fracture.cohort.splits import Split
from spine_fracture.errors import InputError, InsufficientEvidenceError
from spine_fracture.evaluation.cases.readers import ReaderAnswer
from spine_fracture.training.cohorts.naming import CohortNaming


def reader_reads(project: Project, snapshot: str, cohorts: Collection[str]) -> tuple[ReaderAnswer, ...]:
    """The blinded reads of all test patients, of levels that somebody else had a say in.

    What one reader alone read is left out: the truth of such a level is that very read. A reader goes by a
    number, in the order of their first reads. Raises :class:`InputError` where none of ``cohorts``, by name,
    holds the reads of this snapshot, :class:`InsufficientEvidenceError` where there is no such read.
    """
    content = read_snapshot(project, snapshot)
    with project.session() as session:
        frozen = find_snapshot(session, snapshot)
    naming = CohortNaming(frozen.name, frozen.sha256)
    if not any(name.startswith(naming.begins) for name in cohorts):
        raise InputError(
            f"The cohort {' and '.join(cohorts)} does not hold the reads of {frozen.name}: make it with "
            f"`spine-fracture cohort cache --snapshot {frozen.name}`, or name the snapshot it was made of."
        )
    decided = {read.level_id for read in content.evaluation if read.reference}
    reads = sorted(
        (read for read in content.readers if read.split is Split.TEST), key=lambda read: read.read_id
    )
    readers: dict[int, set[str]] = {}
    for read in reads:
        readers.setdefault(read.level_id, set()).add(read.reader)
    shared = [read for read in reads if len(readers[read.level_id]) > 1 or read.level_id in decided]
    if not shared:
        raise InsufficientEvidenceError(
            f"{frozen.name} has no level of a test patient that two read blinded, or that was decided: "
            "have levels read twice (configs/protocols/double.yaml), and freeze a new snapshot."
        )
    # Readers may name a level otherwise than it was decided; the models are judged by the name that stands.
    names = {read.level_id: read.level for read in content.evaluation}
    numbers = {name: number for number, name in enumerate(dict.fromkeys(read.reader for read in shared), 1)}
    return tuple(
        ReaderAnswer(
            f"reader {numbers[read.reader]}",
            read.patient,
            names.get(read.level_id, read.level),
            read.diagnosis,
        )
        for read in shared
    )
