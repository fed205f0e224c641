"""Hiding all but the pictures in what an archive says, while its asker reads a level.

Not only the objects are hidden but every trace of them: counts, lists of modalities, and queries that
would find a study by what is hidden in it.
"""

from __future__ import annotations

from spine_fracture.server.dicomweb.addresses import SEARCHES, What
from spine_fracture.server.dicomweb.attributes import (
    MODALITIES_IN_STUDY,
    MODALITY,
    SERIES_INSTANCES,
    SERIES_UID,
    SOP_CLASSES_IN_STUDY,
    SOP_UID,
    STUDY_INSTANCES,
    STUDY_SERIES,
    STUDY_UID,
    Attributes,
    of,
    text,
)
from spine_fracture.server.dicomweb.listed import listed_query
from spine_fracture.server.dicomweb.matching import Query
from spine_fracture.server.dicomweb.pictures import PICTURE_MODALITY, Pictures, StudyPictures
from spine_fracture.server.dicomweb.web import Question

#: Keys whose answer does not depend on what is hidden; others are not passed on.
_HARMLESS_KEYS = frozenset(
    """patientname patientid patientbirthdate patientsex studydate studytime accessionnumber studyid
    studydescription studyinstanceuid seriesinstanceuid sopinstanceuid 00100010 00100020 00080020 00080030
    00080050 00200010 00081030 0020000d 0020000e 00080018 limit offset fuzzymatching includefield""".split()  # noqa: SIM905
)
_ALL_PICTURES = {MODALITY: of("CS", PICTURE_MODALITY), MODALITIES_IN_STUDY: of("CS", PICTURE_MODALITY)}
#: Of a study, what an archive may say: nothing that it gathers from the series.
_STUDY_TAGS = frozenset(
    """00080005 00080020 00080030 00080050 00080056 00080090 00080201 00081030 00081190 00100010 00100020
    00100030 00100040 00101010 0020000D 00200010""".split()  # noqa: SIM905
)


def allowed_query(question: Question) -> list[tuple[str, str]]:
    """The query that is passed on: without keys that could ask about contents, or about what is hidden."""
    query = question.query.multi_items()
    if question.address.what in SEARCHES:
        query = listed_query(query)
    if question.pictures_only:
        query = [(name, wanted) for name, wanted in query if name.lower() in _HARMLESS_KEYS]
    return query


def hide(rows: list[Attributes], question: Question, pictures: Pictures) -> list[Attributes]:
    """The rows of a search, or headers, of pictures; with the counts that a study of pictures alone has."""
    # What the archive would have matched by hidden series is matched here, by those that show.
    if not Query.of(question.query).matches(_ALL_PICTURES, frozenset(_ALL_PICTURES)):
        return []
    shown = pictures.of({text(row, STUDY_UID) or question.address.study for row in rows})
    kept = []
    for row in rows:
        study = shown.get(text(row, STUDY_UID) or question.address.study)
        if study is None:
            continue
        if question.address.what is What.STUDIES:
            kept.append(_study(row, study))
        elif study.shows(text(row, SERIES_UID), text(row, SOP_UID)):
            kept.append(_part(row, study, question.address.what))
    return kept


def _study(row: Attributes, study: StudyPictures) -> Attributes:
    return {tag: found for tag, found in row.items() if tag in _STUDY_TAGS} | _counts(study)


def _part(row: Attributes, study: StudyPictures, what: What) -> Attributes:
    if what is What.METADATA:
        return row
    counts = _counts(study)
    part = {tag: counts.get(tag, found) for tag, found in row.items() if tag != SOP_CLASSES_IN_STUDY}
    if SERIES_INSTANCES in part:
        part[SERIES_INSTANCES] = of("IS", len(study.series[text(row, SERIES_UID)]))
    return part


def _counts(study: StudyPictures) -> Attributes:
    return {
        MODALITIES_IN_STUDY: of("CS", PICTURE_MODALITY),
        STUDY_SERIES: of("IS", len(study.series)),
        STUDY_INSTANCES: of("IS", study.instances),
    }
