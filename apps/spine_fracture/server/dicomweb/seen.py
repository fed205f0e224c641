"""Opinions in an archive are opinions too: who was sent one on a study reads it blinded no more.

While a level is read nothing of the kind is sent (see :mod:`.pictures`); this is about the plain study
list, where anybody may open any study between two reads. All that is no plain picture may hold an opinion,
as whatever it is sent: a header, a file, a frame, a picture made of it.
"""

from __future__ import annotations

import json
from collections.abc import Collection

from sqlalchemy import select

from spine_fracture.cohort.project import Project
from spine_fracture.cohort.reports import ArrivalState, ReceivedReport, Report
from spine_fracture.cohort.shown import note_study_shown
from spine_fracture.errors import NotFoundError
from spine_fracture.server.dicomweb.addresses import SEARCHES, Address, What
from spine_fracture.server.dicomweb.attributes import SERIES_UID, SOP_UID, text
from spine_fracture.server.dicomweb.pictures import Pictures
from spine_fracture.server.reports.authors import reader_key


def note_opinions(pictures: Pictures, address: Address, headers: bytes, reader: str) -> None:
    """Keep that ``reader`` is sent what lies at ``address``, if there may be an opinion of others in it.

    ``headers`` is the JSON of an answer to :attr:`What.METADATA`. Searches tell no content (see
    :mod:`.listed`). A study that is not in the catalogue has no levels to be blinded for. A series of which
    it cannot be told now whether it is a picture is no reason: it would count against the reader for ever.
    """
    if address.what in SEARCHES:
        return
    if address.what is What.METADATA:
        shown = pictures.of_study(address.study)
        uids = [(text(row, SERIES_UID), text(row, SOP_UID)) for row in json.loads(headers)]
        told = {sop for series, sop in uids if series not in shown.unsure and not shown.shows(series, sop)}
        others = bool(told) and bool(told - _own(pictures.project, told, reader))
    elif pictures.shows(address.study, address.series, address.instance) is not False:
        others = False
    elif address.instance:
        others = not _own(pictures.project, {address.instance}, reader)
    else:
        others = not _is_own_series(pictures.project, address.series, reader)
    if others:
        try:
            note_study_shown(pictures.project, address.study, reader)
        except NotFoundError:
            return


def _own(project: Project, sop_uids: Collection[str], reader: str) -> set[str]:
    """Those of these that are reports of ``reader``."""
    came = select(ReceivedReport.sop_uid).where(
        ReceivedReport.sop_uid.in_(sop_uids), ReceivedReport.author == reader
    )
    ours = select(Report.sop_uid).where(Report.sop_uid.in_(sop_uids), Report.author == reader_key(reader))
    with project.session() as session:
        return set(session.scalars(came.union(ours)))


def _is_own_series(project: Project, series_uid: str, reader: str) -> bool:
    """Whether there are reports in this series, and all by ``reader``."""
    # What we wrote and met again is in the table of what we wrote.
    came = select(ReceivedReport.author == reader).where(
        ReceivedReport.series_uid == series_uid, ReceivedReport.state != ArrivalState.OURS
    )
    ours = select(Report.author == reader_key(reader)).where(Report.series_uid == series_uid)
    with project.session() as session:
        found = [*session.scalars(came), *session.scalars(ours)]
    return bool(found) and all(found)
