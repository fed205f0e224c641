"""The record of who did what, written in the same transaction as what was done."""

from __future__ import annotations

from importlib.metadata import version

from sqlalchemy.orm import Session

from spine_fracture.cohort.records import AuditEvent

CODE_VERSION = f"spine-fracture {version('spine-fracture')}"
#: The actor of what no person asked for.
SYSTEM = "system"


def record(
    session: Session,
    action: str,
    subject: str,
    *,
    actor: str = SYSTEM,
    model_version: str | None = None,
    details: dict[str, object] | None = None,
) -> None:
    """Add an event, e.g. ``read.submitted`` on ``level:12``. ``details`` never name a patient or a file."""
    session.add(
        AuditEvent(
            actor=actor,
            action=action,
            subject=subject,
            code_version=CODE_VERSION,
            model_version=model_version,
            details=details or {},
        )
    )
