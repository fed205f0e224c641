"""Words of the reading desk that the command line knows too: light to import."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What somebody may do. ``SERVICE`` is a program that speaks for readers; no person has it."""

    READER = "reader"
    ADJUDICATOR = "adjudicator"
    DATA_MANAGER = "data_manager"
    ENGINEER = "engineer"
    SERVICE = "service"


class WorkList(StrEnum):
    """What a reader sits down to.

    ``ASSISTED``: the strategy's mix, with what the models say where the read is not to be blinded.
    ``BLINDED``: the same levels, none with what the models say. ``SECOND``: levels that somebody else
    read and that need another independent read, always blinded. ``ADJUDICATION``: levels whose
    readers disagree.
    """

    ASSISTED = "assisted"
    BLINDED = "blinded"
    SECOND = "second"
    ADJUDICATION = "adjudication"


class SkipReason(StrEnum):
    """Why a level was not read."""

    POOR_QUALITY = "poor_quality"
    NOT_A_VERTEBRA = "not_a_vertebra"
    OUT_OF_FIELD = "out_of_field"
    CANNOT_DECIDE = "cannot_decide"
    OTHER = "other"
