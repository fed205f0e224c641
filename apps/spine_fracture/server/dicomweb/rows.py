"""Rows of a search (PS3.18, 10.6.3) from the headers of files."""

from __future__ import annotations

from collections.abc import Sequence

from spine_fracture.server.dicomweb.attributes import (
    MODALITIES_IN_STUDY,
    MODALITY,
    SERIES_INSTANCES,
    STUDY_INSTANCES,
    STUDY_SERIES,
    Attributes,
    of,
    text,
)
from spine_fracture.server.dicomweb.headers import Header
from spine_fracture.server.dicomweb.holdings import HeldSeries

#: What a row says, by tag, as far as the headers say it.
_STUDY = (
    *("00080005", "00080020", "00080030", "00080050", "00080090", "00081030"),
    *("00100010", "00100020", "00100030", "00100040", "0020000D", "00200010"),
)
_SERIES = ("00080021", "00080031", "00080060", "0008103E", "0020000E", "00200011", "00180015")
_INSTANCE = ("00080016", "00080018", "00200013", "00280008", "00280010", "00280011", "00280100")


def for_rows(header: Header) -> Header:
    """``header`` without what rows of studies and series do not say, to be kept in memory."""
    return Header(header.sop_uid, _some(header.attributes, (*_STUDY, *_SERIES)))


def study_row(series: Sequence[tuple[HeldSeries, Header]]) -> Attributes:
    """``series`` are those that are shown, each with its first header; there is at least one."""
    first = series[0][1].attributes
    modalities = sorted({text(header.attributes, MODALITY) for _, header in series} - {""})
    return _some(first, _STUDY) | {
        MODALITIES_IN_STUDY: of("CS", *modalities),
        STUDY_SERIES: of("IS", len(series)),
        STUDY_INSTANCES: of("IS", sum(len(held.files) for held, _ in series)),
    }


def series_row(study: Attributes, series: HeldSeries, header: Header) -> Attributes:
    return study | _some(header.attributes, _SERIES) | {SERIES_INSTANCES: of("IS", len(series.files))}


def instance_row(series: Attributes, header: Header) -> Attributes:
    return series | _some(header.attributes, _INSTANCE)


def _some(attributes: Attributes, tags: Sequence[str]) -> Attributes:
    return {tag: attributes[tag] for tag in tags if tag in attributes}
