"""The models read the catalogue: every study that these versions have not read as it is now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select

from spine_fracture.cohort.model_readings import growth, keep_reading, read_by
from spine_fracture.cohort.models import Series, Study
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.studies import find_study, load_pair, note_refusal
from spine_fracture.errors import InputError
from spine_fracture.pipeline import ReadingPipeline


@dataclass(frozen=True)
class CatalogueReading:
    """Study UIDs read now, those read before by the same models and not grown since, and (UID, reason) of
    the refused.
    """

    read: tuple[str, ...]
    kept: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]


def read_catalogue(
    project: Project, pipeline: ReadingPipeline, progress: Callable[[int, int], None]
) -> CatalogueReading:
    """Read each study in a transaction of its own; one that cannot be read gets its reason as a note.

    ``progress`` is told (studies done, studies in all).
    """
    read: list[str] = []
    kept: list[str] = []
    refused: list[tuple[str, str]] = []
    with project.session() as session:
        readable = select(Series.study_id).where(Series.role.is_not(None))
        studies = session.scalars(select(Study.uid).where(Study.id.in_(readable)).order_by(Study.id)).all()
        read_before = read_by(pipeline.detector.version, pipeline.classifier.version)
        done = set(session.scalars(select(Study.uid).where(read_before)))
    for number, uid in enumerate(studies):
        progress(number, len(studies))
        if uid in done:
            kept.append(uid)
            continue
        try:
            _read(project, pipeline, uid)
            read.append(uid)
        except InputError as error:
            with project.transaction() as session:
                note_refusal(session, uid, str(error))
            refused.append((uid, str(error)))
    progress(len(studies), len(studies))
    return CatalogueReading(tuple(read), tuple(kept), tuple(refused))


def _read(project: Project, pipeline: ReadingPipeline, uid: str) -> None:
    """Once, or until nothing new comes in while it is read."""
    kept = False
    while not kept:
        with project.session() as session:
            opened = growth(session, find_study(session, uid))
            pair = load_pair(session, uid, pipeline.further)
        reading = pipeline.read(pair, uid)
        with project.transaction() as session:
            kept = keep_reading(session, reading, opened)
