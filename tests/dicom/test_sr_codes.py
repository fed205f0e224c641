"""Codes of public schemes that are written into reports."""

from __future__ import annotations

from spine_fracture.anatomy import SNOMED, Code
from spine_fracture.dicom.sr import codes
from spine_fracture.dicom.sr.codes import PROCEDURE, VOCABULARY

#: The tables of Verhoeff's check digit (SNOMED CT Technical Implementation Guide, appendix B).
TIMES = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
TURNED = (
    "0123456789", "1576283094", "5803796142", "8916043527",
    "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip


def is_right(number: str) -> bool:
    """Whether the last digit checks those before it."""
    check = 0
    for place, digit in enumerate(reversed(number)):
        check = int(TIMES[check][int(TURNED[place % 8][int(digit)])])
    return check == 0


def snomed() -> set[str]:
    """All that the reports and the vocabulary know."""
    named = {code.value for code in vars(codes).values() if isinstance(code, Code) and code.scheme == SNOMED}
    understood = {
        value
        for known in (VOCABULARY.diagnoses, VOCABULARY.levels, VOCABULARY.features)
        for scheme, value in known
        if scheme == SNOMED
    }
    return named | understood


def test_every_snomed_code_has_its_check_digit() -> None:
    assert len(snomed()) > 30
    assert {value for value in snomed() if not is_right(value)} == set()
    assert not is_right("113091002")


def test_the_procedure_is_magnetic_resonance_imaging() -> None:
    assert PROCEDURE.value == "113091000"
