"""Opinions in an archive are opinions too: who was sent a report on a study reads it blinded no more.

While a level is read nothing of the kind is sent (see :mod:`.pictures`); this is about the plain study
list, where anybody may open any study between two reads.
"""

from __future__ import annotations

import json

from sqlalchemy import select

from spine_fracture.cohort.project import Project
from spine_fracture.cohort.reports import ReceivedReport, Report
from spine_fracture.cohort.shown import note_study_shown
from spine_fracture.errors import NotFoundError
from spine_fracture.server.dicomweb.attributes import MODALITY, SOP_UID, text
from spine_fracture.server.reports.authors import reader_key

#: Modalities of objects in which somebody, or a computer, marks or says something of pictures.
_OPINIONS = frozenset({"SR", "SEG", "PR", "KO", "RTSTRUCT", "ANN", "FID", "M3D"})


def note_opinions(project: Project, study_uid: str, headers: bytes, reader: str) -> None:
    """Keep that ``reader`` was sent these headers, if there is an opinion of somebody else in them.

    ``headers`` is the JSON of an answer. The content of a report is in its header. A study that is not in
    the catalogue has no levels to be blinded for.
    """
    told = {text(row, SOP_UID) for row in json.loads(headers) if text(row, MODALITY) in _OPINIONS}
    if not told:
        return
    with project.session() as session:
        own = set(
            session.scalars(
                select(ReceivedReport.sop_uid)
                .where(ReceivedReport.sop_uid.in_(told), ReceivedReport.author == reader)
                .union(
                    select(Report.sop_uid).where(
                        Report.sop_uid.in_(told), Report.author == reader_key(reader)
                    )
                )
            )
        )
    if told - own:
        try:
            note_study_shown(project, study_uid, reader)
        except NotFoundError:
            return
