"""What may happen to a read, as a table (anything else is an error), and what a model version may be."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from spine_fracture.errors import ConflictError


class ReadState(StrEnum):
    """``WITHDRAWN`` was taken back by its reader; ``SUPERSEDED`` gave way to a later one of his."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    ADJUDICATED = "adjudicated"
    LOCKED = "locked"
    WITHDRAWN = "withdrawn"
    SUPERSEDED = "superseded"


class ReadEvent(StrEnum):
    SUBMIT = "submit"
    WITHDRAW = "withdraw"
    SUPERSEDE = "supersede"
    REINSTATE = "reinstate"
    ADJUDICATE = "adjudicate"
    LOCK = "lock"


READ_TABLE: Mapping[tuple[ReadState, ReadEvent], ReadState] = {
    (ReadState.DRAFT, ReadEvent.SUBMIT): ReadState.SUBMITTED,
    (ReadState.SUBMITTED, ReadEvent.WITHDRAW): ReadState.WITHDRAWN,
    (ReadState.SUBMITTED, ReadEvent.SUPERSEDE): ReadState.SUPERSEDED,
    # Withdrawing a read puts the one that it had superseded back.
    (ReadState.SUPERSEDED, ReadEvent.REINSTATE): ReadState.SUBMITTED,
    (ReadState.SUBMITTED, ReadEvent.ADJUDICATE): ReadState.ADJUDICATED,
    # An adjudicator may take a decision back as long as it is not locked.
    (ReadState.ADJUDICATED, ReadEvent.WITHDRAW): ReadState.WITHDRAWN,
    (ReadState.ADJUDICATED, ReadEvent.LOCK): ReadState.LOCKED,
}


class ModelStatus(StrEnum):
    """Candidate until the gate has spoken, champion while it serves, retired afterwards."""

    CANDIDATE = "candidate"
    CHAMPION = "champion"
    RETIRED = "retired"


S = TypeVar("S", bound=StrEnum)
E = TypeVar("E", bound=StrEnum)


def after(table: Mapping[tuple[S, E], S], state: S, event: E) -> S:
    """The state that ``event`` leads to; raises :class:`ConflictError` when the table has no such row."""
    try:
        return table[state, event]
    except KeyError:
        possible = ", ".join(known for (at, known) in table if at is state) or "nothing more"
        raise ConflictError(f"What is {state} cannot {event}: possible is {possible}.") from None
