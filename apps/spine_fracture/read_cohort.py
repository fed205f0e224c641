"""The reads of a snapshot in the form that every system trains on and is judged by."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from spine_fracture.anatomy import Diagnosis
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.snapshots import SnapshotRead, find_snapshot, read_snapshot
from spine_fracture.errors import InsufficientEvidenceError
from spine_fracture.imaging import CHANNELS, FURTHER
from spine_fracture.read_studies import ReadStudy, agreed, disputes, read_studies
from spine_fracture.training.cohorts.making import STUDIES
from spine_fracture.training.cohorts.naming import CohortNaming
from spine_fracture.training.cohorts.study_cache import CachedStudy, LevelLabel, StudyCacheWriter, StudyLabel

#: Whoever looks at one vertebra a patient looks at the first that was read as malignant, else as fractured.
_INDEX = (Diagnosis.MALIGNANT, Diagnosis.BENIGN_FRACTURE)


def cache_snapshot(
    project: Project, snapshot: str, out: Path, tell: Callable[[str, int, int], None] | None = None
) -> tuple[int, tuple[str, ...]]:
    """Write ``out/studies``, a :class:`StudyCache` named after the snapshot and its content; returns how many
    studies it holds, and which reads and further series could not be used and why.

    T1 and T2, and the further sequences that a study has, as the server gives them to a model. A study
    goes to the part of its patient's split, so that reads of validation patients choose and those of the
    locked test patients judge; what trains looks at ``StudyLabel.part`` alone. Levels that nobody read are
    there as indeterminate, which is never a target. Raises :class:`InsufficientEvidenceError` when no read
    can be used.
    """
    content = read_snapshot(project, snapshot)
    with project.session() as session:
        frozen = find_snapshot(session, snapshot)
    left_out = disputes(content)
    reads = agreed([*content.training, *content.evaluation], left_out)
    written = 0
    with StudyCacheWriter(out / STUDIES, CohortNaming(frozen.name, frozen.sha256)) as writer:
        for study in read_studies(project, reads, left_out, "studies", tell, FURTHER):
            writer.add(_cached(study))
            written += 1
        if not written:
            raise InsufficientEvidenceError(
                f"No read of {frozen.name} can be used: {'; '.join(left_out) or 'it holds none'}."
            )
    return written, tuple(left_out)


def _cached(study: ReadStudy) -> CachedStudy:
    by_time = sorted((read for read in study.reads if read is not None), key=lambda read: read.read_id)
    levels = []
    for name, boxes, read in zip(study.names, study.boxes, study.reads, strict=True):
        ordered = sorted(boxes, key=lambda item: item[0])
        levels.append(
            LevelLabel(
                level=name,
                diagnosis=Diagnosis.INDETERMINATE if read is None else read.diagnosis,
                features=() if read is None else read.features,
                primary=_primary(study, read),
                slices=tuple(at for at, _ in ordered),
                boxes=tuple(box.as_tuple() for _, box in ordered),
                shown=(True,) * len(ordered),
            )
        )
    label = StudyLabel(
        patient=study.patient,
        centre=by_time[0].centre,
        split=by_time[0].split,
        source="read",
        field_strength=study.field_strength,
        sex=study.sex or "",
        age=study.age,
        sequences=tuple(sequence for sequence in CHANNELS if sequence in study.pair.acquired),
        levels=tuple(sorted(levels, key=lambda level: level.level.order)),
        index_level=next((read.level for said in _INDEX for read in by_time if read.diagnosis is said), None),
    )
    return CachedStudy(label, np.rint(study.pair.channels * 255).astype(np.uint8))


def _primary(study: ReadStudy, read: SnapshotRead | None) -> str:
    """Where a malignant level comes from: the patient's tumour, as far as it is known."""
    malignant = read is not None and read.diagnosis is Diagnosis.MALIGNANT
    return (study.primary_tumour or "") if malignant else ""
