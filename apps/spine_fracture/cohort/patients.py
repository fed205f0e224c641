"""Pseudonymous patients: of who a person is, the key is all that is kept."""

from __future__ import annotations

import hmac
import re
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from spine_fracture.cohort.models import Centre, Patient
from spine_fracture.cohort.splits import split_of
from spine_fracture.errors import ConflictError, InputError, NotFoundError
from spine_fracture.files import kept_secret

#: Keys that we gave ourselves, to phantoms and to the open lumbar set: they name nobody and stay as they are.
_OUR_KEYS = re.compile(r"phantom-\d{6}|lumbar-t1t2-[\w-]{1,40}")


def pseudonym(home: Path, centre: str, patient_id: str) -> str:
    """The key of the patient whom ``centre`` calls ``patient_id``.

    A keyed hash: without the project's secret nobody can go back, nor try ids until one fits. The
    centre is in it because two hospitals may give the same id to two people.
    """
    given = patient_id.strip()
    if not given:
        raise InputError(
            "It has no patient id, so its studies could not be kept on one side of the split: "
            "give it a pseudonymous id."
        )
    if _OUR_KEYS.fullmatch(given):
        return given
    digest = hmac.digest(kept_secret(home / "secret.key"), f"{centre}\x1f{given}".encode(), "sha256")
    return f"patient-{digest.hex()[:24]}"


def require_centre(session: Session, name: str) -> None:
    """Raises :class:`NotFoundError` for a centre that is not there, a misspelt one among them."""
    if session.scalar(select(Centre).where(Centre.name == name)) is None:
        raise NotFoundError(f"There is no centre {name}: spine-fracture cohort shows their names.")


def names(patient: Patient, given: str, home: Path) -> bool:
    """Whether the id ``given`` is this patient: the key, or what the centre calls them."""
    told = given.strip()
    return told == patient.key or (bool(told) and pseudonym(home, patient.centre.name, told) == patient.key)


def enrol(session: Session, key: str, centre: Centre) -> Patient:
    """The patient with this key, made with its split if new; one patient belongs to one centre."""
    patient = session.scalar(select(Patient).where(Patient.key == key))
    if patient is None:
        patient = Patient(key=key, centre=centre, split=split_of(key))
        session.add(patient)
    elif patient.centre_id != centre.id:
        raise ConflictError(f"The patient is known at centre {patient.centre.name} already.")
    return patient
