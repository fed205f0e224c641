"""What MONAI Label calls labels: the standing reads of a study, as one JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import selectinload

from spine_fracture.cohort import models
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.protocol import ProtocolConfig
from spine_fracture.cohort.reads import STANDING
from spine_fracture.cohort.shown import note_level_shown
from spine_fracture.errors import NotFoundError
from spine_fracture.server.answers import NOTICE
from spine_fracture.server.auth import Principal
from spine_fracture.server.review.rights import may_see, not_blind

#: MONAI Label's tag of what a person has finished. Predictions are not labels here.
FINAL = "final"
ONLY_FINAL = f"Only the tag {FINAL!r} is kept: what models say is stored as predictions already."


class Labels:
    """The reads of a project by study."""

    def __init__(self, project: Project, protocol: ProtocolConfig) -> None:
        self._project = project
        self._protocol = protocol

    def labelled(self) -> frozenset[str]:
        """UIDs of the studies with at least one standing read."""
        with self._project.session() as session:
            query = (
                select(models.Study.uid)
                .join(models.StudyLevel)
                .join(models.Read)
                .where(models.Read.state.in_(STANDING))
                .distinct()
            )
            return frozenset(session.scalars(query))

    def count(self) -> int:
        """How many standing reads there are."""
        standing = select(func.count()).select_from(models.Read).where(models.Read.state.in_(STANDING))
        with self._project.session() as session:
            return session.scalar(standing) or 0

    def document(self, study_uid: str, who: Principal, reader: str | None) -> dict[str, Any]:
        """The standing reads of a study that ``reader``, for whom ``who`` asks, may see.

        What others say of a level, once shown, goes on the record.
        Raises :class:`NotFoundError` when there is none and :class:`BlindedError` for a blinded reader.
        """
        with self._project.transaction() as session:
            if reader is not None:
                not_blind(session, reader)
            standing = session.scalars(
                select(models.Read)
                .join(models.StudyLevel)
                .join(models.Study)
                .where(models.Study.uid == study_uid, models.Read.state.in_(STANDING))
                .order_by(models.Read.id)
                .options(selectinload(models.Read.series))
            )
            reads = [read for read in standing if may_see(who, reader, read, self._protocol)]
            if reader is not None:
                for level_id in sorted({read.level_id for read in reads if read.reader != reader}):
                    note_level_shown(session, level_id, reader)
        if not reads:
            raise NotFoundError("There is no read of this study that is yours to see yet.")
        return {"notice": NOTICE, "study": study_uid, "reads": _rows(reads)}


def _rows(reads: Sequence[models.Read]) -> list[dict[str, Any]]:
    return [
        {
            "id": read.id,
            "level_id": read.level_id,
            "level": read.name_given,
            "diagnosis": read.diagnosis,
            "features": sorted(read.features),
            "confidence": read.confidence,
            "basis": read.basis,
            "mode": read.mode,
            "reader": read.reader,
            "created": read.created.isoformat(),
            "box": _box(read),
        }
        for read in reads
    ]


def _box(read: models.Read) -> dict[str, Any] | None:
    if read.series is None or read.box is None:
        return None
    return {"series": read.series.uid, "slice": read.slice_index, "box": read.box.as_tuple()}
