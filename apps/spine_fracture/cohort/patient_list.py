"""What a centre knows of its patients and the pictures do not say: a list of them, as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from sqlalchemy import select

from spine_fracture.anatomy import Primary
from spine_fracture.cohort.audit import record
from spine_fracture.cohort.models import Patient
from spine_fracture.cohort.patients import pseudonym, require_centre
from spine_fracture.cohort.project import Project
from spine_fracture.dicom.demographics import Sex
from spine_fracture.errors import InputError

_PATIENT = "patient"
_SEX = "sex"
_PRIMARY = "primary_tumour"
_SAID = (_SEX, _PRIMARY)
W = TypeVar("W", bound=StrEnum)


@dataclass(frozen=True)
class PatientEntry:
    """One line. ``patient`` is as the centre calls them, never to be stored. None is what it leaves open."""

    line: int
    patient: str = field(repr=False)
    sex: Sex | None
    primary_tumour: Primary | None


@dataclass(frozen=True)
class Described:
    """Patients who were told something new of, those of whom all was known, and lines of unknown patients."""

    changed: int
    unchanged: int
    unknown_lines: tuple[int, ...]


def read_patient_list(path: Path) -> tuple[PatientEntry, ...]:
    """The lines of a CSV file with a head of ``patient`` and one of ``sex`` and ``primary_tumour``, or both.

    Separated by commas, semicolons or tabs. Raises :class:`InputError`, naming line and remedy but no
    patient, for a file that is anything else; then nothing of it is used.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise InputError(f"{path} cannot be opened ({error.strerror}): give a CSV file.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is no text in UTF-8: save it as CSV in UTF-8.") from error
    head = lines[0] if lines else ""
    separator = max(",;\t", key=head.count)
    try:
        rows = list(csv.reader(lines, delimiter=separator, strict=True))
    except csv.Error as error:
        raise InputError(f"{path.name} is no whole CSV ({error}): look for an open quote.") from error
    names = [name.strip().lower() for name in (rows[0] if rows else [])]
    extra = [name for name in names if name not in (_PATIENT, *_SAID)]
    if _PATIENT not in names or not set(_SAID) & set(names) or extra or len(set(names)) < len(names):
        raise InputError(
            f"{path.name} begins with other columns than those that are read: {_PATIENT}, and "
            f"{' or '.join(_SAID)} or both, each once."
        )
    return tuple(_entries(names, rows[1:]))


def describe_patients(project: Project, centre: str, entries: Sequence[PatientEntry]) -> Described:
    """Keep what the entries say of patients of this centre, in one transaction; what they leave open stays.

    Patients are given as the hospital calls them, or by their key. One who is not in the catalogue is
    counted, not made. Raises :class:`NotFoundError` for a centre that is not, and :class:`InputError` where
    two lines are of one patient; then nothing is kept.
    """
    centre = centre.strip()
    lines: dict[int, int] = {}
    changed, unknown = 0, []
    with project.transaction() as session:
        require_centre(session, centre)
        for entry in entries:
            keys = (entry.patient, pseudonym(project.home, centre, entry.patient))
            patient = session.scalar(select(Patient).where(Patient.key.in_(keys)))
            if patient is None or patient.centre.name != centre:
                unknown.append(entry.line)
                continue
            first = lines.setdefault(patient.id, entry.line)
            if first != entry.line:
                raise InputError(f"Lines {first} and {entry.line} are of the same patient: keep one of them.")
            details: dict[str, object] = {}
            if entry.sex not in (None, patient.sex):
                details[_SEX] = patient.sex = entry.sex
            if entry.primary_tumour not in (None, patient.primary_tumour):
                details[_PRIMARY] = patient.primary_tumour = entry.primary_tumour
            if details:
                changed += 1
                record(session, "patient.described", f"patient:{patient.id}", details=details)
    return Described(changed, len(lines) - changed, tuple(unknown))


def _entries(names: Sequence[str], rows: Sequence[list[str]]) -> Iterator[PatientEntry]:
    for line, row in enumerate(rows, start=2):
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        if len(cells) != len(names):
            raise InputError(f"Line {line} has {len(cells)} cells, the first line {len(names)}: correct it.")
        said = dict(zip(names, cells, strict=True))
        if not said[_PATIENT]:
            raise InputError(f"Line {line} names no patient: correct it.")
        yield PatientEntry(
            line,
            said[_PATIENT],
            _word(Sex, said.get(_SEX, "").upper(), line),
            _word(Primary, said.get(_PRIMARY, "").lower(), line),
        )


def _word(kind: type[W], text: str, line: int) -> W | None:
    if text and text not in tuple(kind):
        raise InputError(f"Line {line}: write one of {', '.join(kind)}, or leave the cell empty.")
    return kind(text) if text else None
