"""Who a report is by, as the table keeps it: ``reader ID`` or ``model DETECTOR CLASSIFIER``."""

from __future__ import annotations

from enum import StrEnum

from spine_fracture.dicom.sr.statements import Algorithm, Author, Reader
from spine_fracture.errors import InputError

MODEL_NAME = "spine_fracture"


class Kind(StrEnum):
    """Whose reports: those of readers go out by themselves, those of models when somebody asks."""

    READER = "reader"
    MODEL = "model"


def reader_key(reader: str) -> str:
    return f"{Kind.READER} {reader}"


def model_key(detector_version: str, classifier_version: str) -> str:
    return f"{Kind.MODEL} {detector_version} {classifier_version}"


def author_of(key: str) -> Author:
    """The author with this key; raises :class:`InputError` for what is none."""
    kind, _, rest = key.partition(" ")
    if kind == Kind.READER and rest:
        return Reader(rest)
    if kind == Kind.MODEL and rest.count(" ") == 1:
        return Algorithm(MODEL_NAME, rest)
    raise InputError("The author of a report cannot be told any more: the report is not written.")
