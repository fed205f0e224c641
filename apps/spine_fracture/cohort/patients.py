"""Pseudonymous patients: the key is all that is kept of a person."""

from __future__ import annotations

import hmac
import os
import re
import secrets
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from spine_fracture.cohort.models import Centre, Patient
from spine_fracture.cohort.splits import split_of
from spine_fracture.errors import ConflictError, InputError, StorageError

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
    digest = hmac.digest(_secret(home), f"{centre}\x1f{given}".encode(), "sha256")
    return f"patient-{digest.hex()[:24]}"


def _secret(home: Path) -> bytes:
    """The project's secret, made when first needed, readable by its owner only."""
    path = home / "secret.key"
    try:
        # Linked into place whole: of two processes that make one, both use the first.
        if not path.exists():
            draft = path.with_name(f".{path.name}.{os.getpid()}")
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
                stream.write(secrets.token_hex(32).encode())
                stream.flush()
                os.fsync(stream.fileno())
            try:
                path.hardlink_to(draft)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return path.read_bytes()
    except OSError as error:
        raise StorageError(
            f"The project's secret cannot be kept: {error.strerror}. Check the rights of the project folder."
        ) from error


def enrol(session: Session, key: str, centre: Centre) -> Patient:
    """The patient with this key, made with its split if new; one patient belongs to one centre."""
    patient = session.scalar(select(Patient).where(Patient.key == key))
    if patient is None:
        patient = Patient(key=key, centre=centre, split=split_of(key))
        session.add(patient)
    elif patient.centre_id != centre.id:
        raise ConflictError(f"The patient is known at centre {patient.centre.name} already.")
    return patient
