"""What may work later: disk, database or archive would not now, and nothing is wrong with the report."""

from __future__ import annotations

from sqlalchemy.exc import OperationalError

from spine_fracture.errors import BusyError, RemoteError, SpineFractureError, StorageError

#: All else is about one report, and must not hold up those after it.
LATER = (OperationalError, OSError, StorageError, BusyError, RemoteError)
_REFUSED = "The disk or the database would not: it is tried again."


def told(error: Exception) -> str:
    """What to tell people: our own words as they are, of other errors none, since they name files."""
    return str(error) if isinstance(error, SpineFractureError) else _REFUSED
