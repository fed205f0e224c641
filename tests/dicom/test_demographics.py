"""Sex and age out of a header: what is stated, and nothing that is nonsense or tells who it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from spine_fracture.dicom.demographics import OLDEST, Demographics, Sex, demographics_of, first_stated


def header(**stated: str) -> Dataset:
    ds = Dataset()
    for name, value in stated.items():
        setattr(ds, name, value)
    return ds


@pytest.mark.parametrize(
    ("stated", "sex"), [("F", Sex.FEMALE), ("m", Sex.MALE), ("O", Sex.OTHER), ("", None), ("X", None)]
)
def test_sex_is_one_of_dicoms_letters(stated: str, sex: Sex | None) -> None:
    assert demographics_of(header(PatientSex=stated)) == Demographics(sex, None)


@pytest.mark.parametrize(
    ("stated", "years"),
    [
        ("063Y", 63),
        ("018M", 1),
        ("011M", 0),
        ("104W", 1),
        ("730D", 1),
        ("091Y", OLDEST),
        ("999Y", None),
        ("000Y", None),
    ],
)
def test_age_is_in_whole_years(stated: str, years: int | None) -> None:
    assert demographics_of(header(PatientAge=stated)).age == years


@pytest.mark.parametrize(
    ("born", "seen", "years"),
    [
        ("19500601", "20240531", 73),
        ("19500601", "20240601", 74),
        ("1950.06.01", "20240602", 74),
        ("19100101", "20190101", OLDEST),
        ("19000101", "20190101", None),  # written where none is known
        ("18500101", "20240101", None),  # made up
        ("20240102", "20240101", None),
        ("19501331", "20240101", None),
        ("", "20240101", None),
    ],
)
def test_else_it_is_worked_out_from_dates(born: str, seen: str, years: int | None) -> None:
    found = demographics_of(header(PatientBirthDate=born, StudyDate=seen))
    assert found == Demographics(None, years)


@given(st.dates(), st.dates())
def test_whatever_the_dates_no_age_tells_who_it_is(born: object, seen: object) -> None:
    dates = {"PatientBirthDate": f"{born:%Y%m%d}".zfill(8), "StudyDate": f"{seen:%Y%m%d}".zfill(8)}
    age = demographics_of(header(**dates)).age
    assert age is None or 0 <= age <= OLDEST


def test_the_first_file_that_says_it_counts() -> None:
    files = (Demographics(), Demographics(Sex.FEMALE), Demographics(Sex.MALE, 60), Demographics(None, 61))
    assert first_stated(files) == Demographics(Sex.FEMALE, 60)
    assert first_stated(()) == Demographics()


@pytest.mark.parametrize("stated", ["000Y", "999Y", "old"])
def test_an_age_that_was_wiped_out_is_that_of_the_dates(stated: str) -> None:
    told = header(PatientAge=stated, PatientBirthDate="19500601", StudyDate="20240101")
    assert demographics_of(told).age == 73
