"""Codes of the reports beyond those of :mod:`spine_fracture.anatomy`, and what known codes mean to us.

Concept names are DICOM's own (PS3.16 annex D); what no public scheme has is in ``99SPINEFX``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from spine_fracture.anatomy import (
    LEVEL_CODES,
    PRIVATE_SCHEME,
    SNOMED,
    Basis,
    Code,
    Diagnosis,
    Feature,
    Level,
)

DCM = "DCM"
#: Who makes our reports, in their headers.
MANUFACTURER = "spine_fracture"
#: How OHIF tracks what is drawn in it: it makes an editable rectangle of a group under the second name.
OHIF_TOOLS = "Cornerstone3DTools"
RECTANGLE = f"{OHIF_TOOLS}@^0.1.0:RectangleROI"
TITLE = Code("126000", DCM, "Imaging Measurement Report")
IMAGING_MEASUREMENTS = Code("126010", DCM, "Imaging Measurements")
MEASUREMENT_GROUP = Code("125007", DCM, "Measurement Group")
PROCEDURE = Code("113091000", SNOMED, "Magnetic resonance imaging")
FINDING = Code("121071", DCM, "Finding")
FINDING_SITE = Code("363698007", SNOMED, "Finding Site")
FINDING_SITE_RETIRED = Code("G-C0E3", "SRT", "Finding Site")
IMAGE_REGION = Code("111030", DCM, "Image Region")
COMMENT = Code("121106", DCM, "Comment")
PROBABILITY = Code("122157", DCM, "Probability")
TRACKING_IDENTIFIER = Code("112039", DCM, "Tracking Identifier")
OBSERVER_TYPE = Code("121005", DCM, "Observer Type")
DEVICE = Code("121007", DCM, "Device")
PERSON = Code("121006", DCM, "Person")
PERSON_NAME = Code("121008", DCM, "Person Observer Name")
DEVICE_NAME = Code("121013", DCM, "Device Observer Name")
SOURCE = Code("260753009", SNOMED, "Source")
PURPOSE_BOUNDED = Code("75958009", SNOMED, "Bounded by")
PRESENT = Code("52101004", SNOMED, "Present")
NO_UNITS = Code("1", "UCUM", "no units")
CONFIDENCE = Code("CONFIDENCE", PRIVATE_SCHEME, "Confidence of the reader, 1 to 5")
BASIS = Code("BASIS", PRIVATE_SCHEME, "What the diagnosis rests on")

CONFIDENCE_CODES: Mapping[int, Code] = {
    1: Code("CONFIDENCE-1", PRIVATE_SCHEME, "A guess"),
    2: Code("CONFIDENCE-2", PRIVATE_SCHEME, "Unsure"),
    3: Code("CONFIDENCE-3", PRIVATE_SCHEME, "Probable"),
    4: Code("CONFIDENCE-4", PRIVATE_SCHEME, "Very probable"),
    5: Code("CONFIDENCE-5", PRIVATE_SCHEME, "Certain"),
}
BASIS_CODES: Mapping[Basis, Code] = {
    Basis.IMAGING: Code("BASIS-IMAGING", PRIVATE_SCHEME, "Imaging alone"),
    Basis.BIOPSY: Code("BASIS-BIOPSY", PRIVATE_SCHEME, "Biopsy"),
    Basis.FOLLOW_UP: Code("BASIS-FOLLOW-UP", PRIVATE_SCHEME, "Follow-up"),
    Basis.REPORT: Code("BASIS-REPORT", PRIVATE_SCHEME, "Report"),
}

#: Findings of other authors that can only mean one of our classes.
_FOREIGN_FINDINGS: Mapping[tuple[str, str], Diagnosis] = {
    (SNOMED, "128462008"): Diagnosis.MALIGNANT,  # metastasis
    (SNOMED, "42942008"): Diagnosis.BENIGN_FRACTURE,  # compression fracture of the vertebral column
    (SNOMED, "443165006"): Diagnosis.BENIGN_FRACTURE,  # osteoporotic fracture of bone
}


@dataclass(frozen=True)
class Vocabulary:
    """Looks up what a coded value means; None for a code that nobody here knows."""

    diagnoses: Mapping[tuple[str, str], Diagnosis]
    levels: Mapping[tuple[str, str], Level]
    features: Mapping[tuple[str, str], Feature]
    confidences: Mapping[tuple[str, str], int]
    bases: Mapping[tuple[str, str], Basis]


def key(code: Code) -> tuple[str, str]:
    """What identifies a code: its meaning is for people only."""
    return (code.scheme, code.value)


VOCABULARY = Vocabulary(
    diagnoses={**_FOREIGN_FINDINGS, **{key(diagnosis.code): diagnosis for diagnosis in Diagnosis}},
    levels={key(code): level for level, code in LEVEL_CODES.items()},
    features={key(feature.code): feature for feature in Feature},
    confidences={key(code): value for value, code in CONFIDENCE_CODES.items()},
    bases={key(code): basis for basis, code in BASIS_CODES.items()},
)
