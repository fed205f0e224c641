"""The content tree of a report as typed items: the one place that touches the data set.

It trusts none of it: reports are written by many programs, attributes are missing, sequences empty,
numbers are text. What cannot be used is left out here, and the reader of the items finds it missing.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset

from spine_fracture.anatomy import Code
from spine_fracture.errors import InputError

#: Enhanced, Comprehensive and Comprehensive 3D SR: the classes that carry measurements.
SR_CLASSES = frozenset(f"1.2.840.10008.5.1.4.1.1.88.{number}" for number in (22, 33, 34))
_DEEPEST = 12
_UIDS = ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
_LONGEST_UID = 64


@dataclass(frozen=True)
class Item:
    """One content item. What its value type does not have is None, empty or 0."""

    kind: str
    name: Code | None
    code: Code | None
    text: str
    graphic: str
    points: tuple[float, ...]
    sop_uid: str
    frame: int
    children: tuple[Item, ...]

    def named(self, name: Code) -> tuple[Item, ...]:
        """The children with this concept name."""
        return tuple(child for child in self.children if same(child.name, name))

    def below(self) -> Iterator[Item]:
        """All items under this one, parents before their children."""
        for child in self.children:
            yield child
            yield from child.below()


@dataclass(frozen=True)
class Document:
    """The head of a report and the root of its content."""

    sop_uid: str
    series_uid: str
    study_uid: str
    patient_id: str
    manufacturer: str
    replaces: tuple[str, ...]
    root: Item


def same(one: Code | None, other: Code) -> bool:
    """Whether two codes mean the same: their meaning in words may differ."""
    return one is not None and (one.scheme, one.value) == (other.scheme, other.value)


def parse_document(data: bytes) -> Document:
    """A report from the bytes of its file; raises :class:`InputError` for what is no structured report."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _document(dcmread(BytesIO(data)))
    except InputError:
        raise
    except Exception:  # pydicom has no common error for a damaged file
        raise InputError(
            "It is not a readable DICOM file: send the report again from the viewer that made it."
        ) from None


def uids_in(data: bytes) -> tuple[str, str, str]:
    """UIDs of instance, series and study in a file, empty where it has none that are valid."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ds = dcmread(BytesIO(data), specific_tags=[*_UIDS])
            instance, series, study = (_text(ds, name) for name in _UIDS)
    except Exception:  # pydicom has no common error for a damaged file
        return "", "", ""
    return _valid(instance), _valid(series), _valid(study)


def _valid(uid: str) -> str:
    return uid if len(uid) <= _LONGEST_UID and set(uid) <= set("0123456789.") else ""


def _document(ds: Any) -> Document:
    if str(ds.get("SOPClassUID", "")) not in SR_CLASSES:
        raise InputError("It is not a structured report with measurements: only those hold reads.")
    uids = [_text(ds, name) for name in _UIDS]
    if not all(uids):
        raise InputError("It lacks the UIDs that say which study it belongs to: store it again.")
    return Document(
        sop_uid=uids[0],
        series_uid=uids[1],
        study_uid=uids[2],
        patient_id=_text(ds, "PatientID"),
        manufacturer=_text(ds, "Manufacturer"),
        replaces=tuple(_predecessors(ds)),
        root=_item(ds, 0),
    )


def _predecessors(ds: Any) -> Iterator[str]:
    """Those of its own study: of another one it takes no place."""
    own = ("", _text(ds, "StudyInstanceUID"))
    for study in _items(ds, "PredecessorDocumentsSequence"):
        if _text(study, "StudyInstanceUID") not in own:
            continue
        for series in _items(study, "ReferencedSeriesSequence"):
            for instance in _items(series, "ReferencedSOPSequence"):
                if uid := _text(instance, "ReferencedSOPInstanceUID"):
                    yield uid


def _item(ds: Any, depth: int) -> Item:
    picture: Any = next(iter(_items(ds, "ReferencedSOPSequence")), Dataset())
    children = _items(ds, "ContentSequence") if depth < _DEEPEST else ()
    return Item(
        kind=_text(ds, "ValueType"),
        name=_code(ds, "ConceptNameCodeSequence"),
        code=_code(ds, "ConceptCodeSequence"),
        text=_text(ds, "TextValue") or _text(ds, "PersonName") or _text(ds, "UID"),
        graphic=_text(ds, "GraphicType"),
        points=_numbers(ds.get("GraphicData")),
        sop_uid=_text(picture, "ReferencedSOPInstanceUID"),
        frame=int(_number(picture.get("ReferencedFrameNumber")) or 1),
        children=tuple(_item(child, depth + 1) for child in children),
    )


def _items(ds: Any, name: str) -> tuple[Any, ...]:
    found = ds.get(name)
    return tuple(found) if found else ()


def _code(ds: Any, name: str) -> Code | None:
    for item in _items(ds, name):
        value = _text(item, "CodeValue") or _text(item, "LongCodeValue")
        if value:
            return Code(value, _text(item, "CodingSchemeDesignator"), _text(item, "CodeMeaning"))
    return None


def _text(ds: Any, name: str) -> str:
    value = ds.get(name)
    return "" if value is None else str(value).strip()


def _number(value: Any) -> float | None:
    found = _numbers(value)
    return found[0] if found else None


def _numbers(value: Any) -> tuple[float, ...]:
    """The numbers of a value of one or several, empty when one of them is none."""
    if value is None or value == "":
        return ()
    try:
        return tuple(float(v) for v in ([value] if isinstance(value, (str, int, float)) else value))
    except (TypeError, ValueError):
        return ()
