"""What a data manager asks of a cohort: how much there is in each centre, and what is missing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from spine_fracture.anatomy import Basis, Diagnosis, Primary
from spine_fracture.cohort.models import (
    Centre,
    FileKind,
    LevelSource,
    Patient,
    Read,
    Refused,
    Role,
    Series,
    Study,
    StudyLevel,
)
from spine_fracture.cohort.patients import require_centre
from spine_fracture.cohort.protocol import disagree, removed
from spine_fracture.cohort.reads import REFERENCE, STANDING
from spine_fracture.cohort.splits import Split


@dataclass(frozen=True)
class CentreOverview:
    """Counts of one centre. ``patients`` follows Split: training, validation, test.

    ``without_t1`` and ``without_t2`` are of the studies with MR, ``radiographs`` all that hold radiographs.
    """

    centre: str
    patients: tuple[int, int, int]
    studies: int
    series: int
    usable_series: int
    without_t1: int
    without_t2: int
    radiographs: int
    moved_pairs: int
    levels: int
    reads: int
    refused: int


def overview(session: Session) -> tuple[CentreOverview, ...]:
    """One row a centre, by name."""
    return tuple(_of(session, centre) for centre in session.scalars(select(Centre).order_by(Centre.name)))


def reasons(session: Session) -> tuple[tuple[str, str, int], ...]:
    """(centre, reason, how many) of what was refused or is not read, the most frequent first.

    Files that ingest refused, series that are of no use, and studies that the models could not read.
    """
    refused = select(Centre.name, Refused.reason).join(Refused)
    unused = (
        select(Centre.name, Series.reason)
        .join(Patient)
        .join(Study)
        .join(Series)
        .where(Series.usable.is_(False))
    )
    # A study gets the reason as its note when the models refuse it, and a numbering when they read it.
    unread = (
        select(Centre.name, Study.notes)
        .select_from(Centre)
        .join(Patient)
        .join(Study)
        .where(Study.numbering_sure.is_(None))
    )
    found = Counter(
        (centre, reason) for centre, reason in session.execute(refused.union_all(unused)).tuples()
    )
    found.update((centre, note) for centre, notes in session.execute(unread).tuples() for note in notes)
    return tuple(sorted(((*of, count) for of, count in found.items()), key=lambda row: (-row[2], *row[:2])))


def count_levels(
    session: Session,
    centre: str | None = None,
    diagnosis: Diagnosis | None = None,
    min_reads: int = 1,
    basis: Basis | None = None,
    primary: Primary | None = None,
) -> int:
    """How many levels have an answer: of one centre, with this diagnosis, read so often, resting on this, of
    patients with this tumour.

    The answer of a level is its reference read, or what all its standing reads say; a level whose
    readers disagree, on its name too, has none yet. ``min_reads`` counts readers, an adjudicator too.
    ``basis`` is that of a read that says the answer. Raises :class:`NotFoundError` for an unknown centre.
    """
    if centre is not None:
        require_centre(session, centre)
    query = (
        select(Read)
        .join(StudyLevel)
        .join(Study)
        .join(Patient)
        .join(Centre)
        .where(Read.state.in_(STANDING), ~removed())
    )
    if centre is not None:
        query = query.where(Centre.name == centre)
    if primary is not None:
        query = query.where(Patient.primary_tumour == primary)
    levels: dict[int, list[Read]] = {}
    for read in session.scalars(query):
        levels.setdefault(read.level_id, []).append(read)
    return sum(
        len({read.reader for read in reads}) >= min_reads
        and (answer := _answer(reads)) is not None
        and diagnosis in (None, answer)
        and (basis is None or any(r.diagnosis is answer and r.basis is basis for r in reads))
        for reads in levels.values()
    )


def _answer(reads: list[Read]) -> Diagnosis | None:
    decided = [read for read in reads if read.state in REFERENCE]
    if not decided and disagree(reads):
        return None
    return (decided or reads)[-1].diagnosis


def _of(session: Session, centre: Centre) -> CentreOverview:
    here = Patient.centre_id == centre.id
    studies = select(func.count(Study.id)).join(Patient).where(here)
    series = select(func.count(Series.id)).join(Study).join(Patient).where(here)
    levels = select(func.count(StudyLevel.id)).join(Study).join(Patient).where(here)

    def count(query: Select[Any]) -> int:
        return int(session.scalar(query) or 0)

    def without(role: Role) -> ColumnElement[bool]:
        return Study.series.any(Series.role.is_not(None)) & ~Study.series.any(Series.role == role)

    return CentreOverview(
        centre=centre.name,
        patients=(
            count(select(func.count(Patient.id)).where(here, Patient.split == Split.TRAIN)),
            count(select(func.count(Patient.id)).where(here, Patient.split == Split.VALIDATION)),
            count(select(func.count(Patient.id)).where(here, Patient.split == Split.TEST)),
        ),
        studies=count(studies),
        series=count(series),
        usable_series=count(series.where(Series.usable.is_(True))),
        without_t1=count(studies.where(without(Role.T1))),
        without_t2=count(studies.where(without(Role.T2))),
        radiographs=count(studies.where(Study.series.any(Series.kind == FileKind.RADIOGRAPH))),
        moved_pairs=count(studies.where(Study.registered.is_(True))),
        levels=count(levels.where(StudyLevel.current.is_(True), StudyLevel.source != LevelSource.REFERENCE)),
        reads=count(
            select(func.count(Read.id))
            .join(StudyLevel)
            .join(Study)
            .join(Patient)
            .where(here, Read.state.in_(STANDING), ~removed())
        ),
        refused=count(select(func.count(Refused.id)).where(Refused.centre_id == centre.id)),
    )
