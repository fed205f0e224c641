"""Keys of a search and the values they fit."""

from __future__ import annotations

import pytest
from starlette.datastructures import QueryParams

from spine_fracture.server.dicomweb.attributes import PATIENT_NAME, of
from spine_fracture.server.dicomweb.matching import Query


def fits(wanted: str, said: str, *, fuzzy: bool = False) -> bool:
    query = Query.of(QueryParams({"PatientName": wanted, "fuzzymatching": str(fuzzy)}))
    return query.matches({PATIENT_NAME: of("PN", {"Alphabetic": said})})


@pytest.mark.parametrize(
    ("wanted", "said", "fuzzy", "expected"),
    [
        ("doe*", "Doe^Jane", False, True),
        ("?oe^j*", "Doe^Jane", False, True),
        ("jane", "Doe^Jane", False, False),
        ("jan", "Doe^Jane", True, True),
        ("j?n", "Doe^Jane", True, True),
        ("ane", "Doe^Jane", True, False),
        ("[D]oe*", "Doe^Jane", False, False),  # a bracket is a letter like any other
        ("[D]oe*", "[D]oe^Jane", False, True),
        ("!a", "!a", False, True),
        ("D.e*", "Doe^Jane", False, False),
    ],
)
def test_wildcards_are_the_two_of_dicom(wanted: str, said: str, fuzzy: bool, expected: bool) -> None:
    assert fits(wanted, said, fuzzy=fuzzy) is expected


@pytest.mark.parametrize("wanted", ["?*" * 12 + "z", "*a" * 12 + "z", "*?" * 40 + "z"])
def test_any_number_of_wildcards_is_answered_at_once(wanted: str) -> None:
    assert not fits(wanted, "a" * 64, fuzzy=True)
