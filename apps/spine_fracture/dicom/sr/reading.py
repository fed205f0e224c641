"""Reports read, whoever wrote them: ours in both forms, OHIF's (dcmjs), and TID 1500 of other programs.

Tolerant: what a group does not say, or says in codes nobody here knows, is a problem in words and the
rest of it is still read. Codes go before labels; a label is read only where no known code is given, and
several codes that contradict each other say nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import isfinite
from typing import TypeVar

import numpy as np

from spine_fracture.anatomy import Code, Diagnosis, Level
from spine_fracture.dicom.sr.codes import (
    BASIS,
    COMMENT,
    CONFIDENCE,
    DEVICE,
    DEVICE_NAME,
    FINDING,
    FINDING_SITE,
    FINDING_SITE_RETIRED,
    IMAGING_MEASUREMENTS,
    MEASUREMENT_GROUP,
    OBSERVER_TYPE,
    PERSON_NAME,
    PRESENT,
    TITLE,
    TRACKING_IDENTIFIER,
    VOCABULARY,
    key,
)
from spine_fracture.dicom.sr.found import FoundRegion, FoundReport, FoundStatement, Observer
from spine_fracture.dicom.sr.labels import Label, understand
from spine_fracture.dicom.sr.tree import Document, Item, parse_document, same
from spine_fracture.errors import InputError
from spine_fracture.geometry import PixelBox

T = TypeVar("T")
#: The code under which cornerstone keeps what people typed, in whichever of its schemes.
_FREE_TEXT = "CORNERSTONEFREETEXT"
#: Names that tools give to what they draw: they say nothing of the level.
_TOOL_MARKS = ("cornerstone", ":")
_TEXT_POSITION = Code("TextPosition", "99CS3D", "Text Annotation Position")
#: Points of an outline from which a box can be told: four corners, or more.
_CORNERS = 4


def read_report(data: bytes) -> FoundReport:
    """What the report in ``data`` (the bytes of a file) says.

    Raises :class:`InputError` for what is no structured report at all; anything less is in the problems.
    """
    document = parse_document(data)
    return FoundReport(
        sop_uid=document.sop_uid,
        series_uid=document.series_uid,
        study_uid=document.study_uid,
        patient_id=document.patient_id,
        manufacturer=document.manufacturer,
        observer=_observer(document.root),
        replaces=document.replaces,
        statements=tuple(_statement(item) for item in _groups(document)),
        problems=tuple(_problems(document)),
    )


def _problems(document: Document) -> Iterator[str]:
    if not same(document.root.name, TITLE):
        yield "It is another kind of report than Imaging Measurement Report (TID 1500)."
    if not document.root.named(IMAGING_MEASUREMENTS):
        yield "It holds no measurements."


def _groups(document: Document) -> Iterator[Item]:
    for measurements in document.root.named(IMAGING_MEASUREMENTS):
        yield from measurements.named(MEASUREMENT_GROUP)


def _observer(root: Item) -> Observer:
    is_device = any(same(item.code, DEVICE) for item in root.named(OBSERVER_TYPE))
    names = [*root.named(PERSON_NAME), *root.named(DEVICE_NAME)]
    persons = [item.text for item in root.named(PERSON_NAME) if item.text]
    return Observer(
        name=next((item.text for item in names if item.text), ""), is_device=is_device and not persons
    )


def _statement(group: Item) -> FoundStatement:
    problems: list[str] = []
    texts = [item.text for item in group.named(COMMENT) if item.text]
    label = _label(group, texts, problems)
    level = _coded_level(group, label.level, problems)
    diagnosis = _coded_diagnosis(group, label.diagnosis, problems)
    if diagnosis is None and not problems:
        problems.append("It says no class: label the box like 'L3 malignant'.")
    region = _region(group, problems)
    return FoundStatement(
        tool=next((item.text for item in group.named(TRACKING_IDENTIFIER) if _is_tool(item.text)), ""),
        region=region,
        level=level,
        diagnosis=diagnosis,
        features=frozenset(
            VOCABULARY.features[key(item.name)]
            for item in group.children
            if item.name and key(item.name) in VOCABULARY.features and same(item.code, PRESENT)
        ),
        confidence=next(_meant(group.named(CONFIDENCE), VOCABULARY.confidences), None),
        basis=next(_meant(group.named(BASIS), VOCABULARY.bases), None),
        problems=tuple(problems),
    )


def _meant(items: Iterable[Item], known: Mapping[tuple[str, str], T]) -> Iterator[T]:
    """What the codes of ``items`` mean, of those that are known."""
    return (known[key(item.code)] for item in items if item.code is not None and key(item.code) in known)


def _label(group: Item, comments: list[str], problems: list[str]) -> Label:
    """The first text of the group that states a level or a class."""
    for text in [*comments[:1], *_free_texts(group), *_names(group)]:
        label = understand(text)
        if label.level or label.diagnosis or label.problem:
            if label.problem:
                problems.append(label.problem)
            return label
    return Label(None, None)


def _free_texts(group: Item) -> Iterator[str]:
    for item in group.children:
        if item.code is not None and item.code.value == _FREE_TEXT:
            yield item.code.meaning


def _names(group: Item) -> Iterator[str]:
    for item in group.named(TRACKING_IDENTIFIER):
        if not _is_tool(item.text):
            yield item.text


def _is_tool(text: str) -> bool:
    return any(mark in text.lower() for mark in _TOOL_MARKS)


def _coded_diagnosis(group: Item, labelled: Diagnosis | None, problems: list[str]) -> Diagnosis | None:
    several = "It names more than one class: leave one of them."
    return _coded(group.named(FINDING), VOCABULARY.diagnoses, labelled, problems, "finding", several)


def _coded_level(group: Item, labelled: Level | None, problems: list[str]) -> Level | None:
    several = "It names more than one level: give each level a box of its own."
    sites = [*group.named(FINDING_SITE), *group.named(FINDING_SITE_RETIRED)]
    return _coded(sites, VOCABULARY.levels, labelled, problems, "site", several)


def _coded(
    items: Iterable[Item],
    known: Mapping[tuple[str, str], T],
    labelled: T | None,
    problems: list[str],
    what: str,
    several: str,
) -> T | None:
    """What the codes of ``items`` mean together, or what the label says where none of them is known.

    Typed text in the place of a code is no code.
    """
    coded = [item for item in items if item.code is not None and item.code.value != _FREE_TEXT]
    meant = set(_meant(coded, known))
    if len(meant) == 1:
        return meant.pop()
    if meant:
        problems.append(several)
        return None
    if coded and coded[0].code is not None:
        problems.append(f"Its {what} is coded as {_shown(coded[0].code)}, which is not known here.")
    return labelled


def _shown(code: Code) -> str:
    """The code without its meaning, which is free text of another place."""
    return f"{code.value[:32]} ({code.scheme[:16] or 'no scheme'})"


def _region(group: Item, problems: list[str]) -> FoundRegion | None:
    drawn = [
        item
        for item in group.below()
        if item.kind in ("SCOORD", "SCOORD3D") and not same(item.name, _TEXT_POSITION)
    ]
    flat = [item for item in drawn if item.kind == "SCOORD"]
    if not flat:
        problems.append(
            "It is drawn in space and not on a picture: draw the box on a slice of T1 or T2."
            if drawn
            else "It has no outline: draw a box on a slice of T1 or T2."
        )
        return None
    found = [_outlined(item) for item in flat]
    best = next((region for region in found if region and region.box), next(filter(None, found), None))
    if best is None:
        problems.append("Its outline points to no picture, or has no positions: draw the box again.")
    elif best.box is None:
        problems.append("Its outline is no box (a box has four corners): draw a rectangle.")
    return best


def _outlined(item: Item) -> FoundRegion | None:
    picture = next((child for child in item.children if child.sop_uid), None)
    if picture is None or len(item.points) < 2 or len(item.points) % 2 or not all(map(isfinite, item.points)):
        return None
    points = np.reshape(item.points, (-1, 2))
    if item.graphic == "CIRCLE" and len(points) == 2:
        radius = float(np.linalg.norm(points[1] - points[0]))
        points = points[0] + np.array([[-radius, -radius], [radius, radius]])
    elif item.graphic not in ("POLYLINE", "ELLIPSE") or len(points) < _CORNERS:
        x, y = points.mean(axis=0)
        return FoundRegion(picture.sop_uid, (float(x), float(y)), None, picture.frame)
    try:
        box = PixelBox.around(points)
    except InputError:
        x, y = points.mean(axis=0)
        return FoundRegion(picture.sop_uid, (float(x), float(y)), None, picture.frame)
    return FoundRegion(picture.sop_uid, box.centre, box, picture.frame)
