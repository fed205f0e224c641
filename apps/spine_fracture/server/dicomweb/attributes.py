"""Attributes in the DICOM JSON model (PS3.18 Annex F)."""

from __future__ import annotations

from typing import Any

#: One object of the DICOM JSON model: attributes by tag.
Attributes = dict[str, Any]

STUDY_UID, SERIES_UID, SOP_UID = "0020000D", "0020000E", "00080018"
PATIENT_NAME, PATIENT_ID = "00100010", "00100020"
MODALITY, MODALITIES_IN_STUDY = "00080060", "00080061"
STUDY_SERIES, STUDY_INSTANCES, SERIES_INSTANCES = "00201206", "00201208", "00201209"
SOP_CLASSES_IN_STUDY = "00080062"


def value(attributes: Attributes, tag: str) -> Any:
    """The first value, as JSON has it; None where there is none."""
    values = attributes.get(tag, {}).get("Value")
    return values[0] if values else None


def text(attributes: Attributes, tag: str) -> str:
    """The first value as text (the alphabetic form of a name); empty where there is none."""
    found = value(attributes, tag)
    if isinstance(found, dict):
        found = found.get("Alphabetic")
    return "" if found is None else str(found)


def of(vr: str, *values: object) -> dict[str, Any]:
    """One attribute."""
    return {"vr": vr, "Value": list(values)} if values else {"vr": vr}
