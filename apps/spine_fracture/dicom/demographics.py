"""Sex and age of a patient, as a DICOM file states them; no date is kept.

An age above 89 years is kept as 90, since so few people are older that it would tell who they are
(HIPAA Safe Harbor, 45 CFR 164.514(b)(2)(i)(C)).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from pydicom.dataset import Dataset

OLDEST = 90
#: Whoever is said to be older was given a made-up date of birth; and this one stands for none.
_NOT_AN_AGE = 120
_NO_BIRTH = date(1900, 1, 1)
_AGE = re.compile(r"(\d{3})([DWMY])")  # value representation AS, DICOM PS3.5 section 6.2
_A_YEAR_HAS = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}
_DATE = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})")  # with the full stops of ACR-NEMA too


class Sex(StrEnum):
    """In the letters of Patient's Sex (0010,0040)."""

    FEMALE = "F"
    MALE = "M"
    OTHER = "O"


@dataclass(frozen=True)
class Demographics:
    """``age`` in whole years at the examination, at most :data:`OLDEST`; None is what is not stated."""

    sex: Sex | None = None
    age: int | None = None


NOTHING_STATED = Demographics()


def demographics_of(ds: Dataset) -> Demographics:
    """By Patient's Sex, and Patient's Age or else the dates of birth and study; nonsense is not stated."""
    sex = _text(ds, "PatientSex").upper()
    return Demographics(Sex(sex) if sex in tuple(Sex) else None, _age(ds))


def first_stated(given: Iterable[Demographics]) -> Demographics:
    """What the first says that says it: files of one study may have been cleaned unevenly."""
    known = tuple(given)
    return Demographics(
        next((one.sex for one in known if one.sex is not None), None),
        next((one.age for one in known if one.age is not None), None),
    )


def _age(ds: Dataset) -> int | None:
    for years in (_stated_age(ds), _age_by_dates(ds)):
        if years is not None and 0 <= years <= _NOT_AN_AGE:
            return min(years, OLDEST)
    return None


def _stated_age(ds: Dataset) -> int | None:
    """None also for an age of nought, which is what is left where it was wiped out."""
    stated = _AGE.fullmatch(_text(ds, "PatientAge"))
    if stated is None or int(stated[1]) == 0:
        return None
    return int(int(stated[1]) / _A_YEAR_HAS[stated[2]])


def _age_by_dates(ds: Dataset) -> int | None:
    born, seen = _date(ds, "PatientBirthDate"), _date(ds, "StudyDate")
    if born in (None, _NO_BIRTH) or seen is None:
        return None
    return seen.year - born.year - ((seen.month, seen.day) < (born.month, born.day))


def _date(ds: Dataset, name: str) -> date | None:
    stated = _DATE.fullmatch(_text(ds, name))
    try:
        return date(int(stated[1]), int(stated[2]), int(stated[3])) if stated else None
    except ValueError:
        return None


def _text(ds: Dataset, name: str) -> str:
    return str(ds.get(name) or "").strip()
