"""A folder that a model is to be trained into."""

from __future__ import annotations

from pathlib import Path

from spine_fracture.errors import InputError, ModelFileError


def require_no_model(out: Path) -> None:
    """What was trained is never trained over; raises :class:`InputError` that names what ``out`` holds."""
    from spine_fracture.bundle import MANIFEST, read_manifest

    if not (out / MANIFEST).is_file():
        return
    try:
        held = read_manifest(out).version
    except ModelFileError:
        held = "a damaged model"
    raise InputError(f"{out} holds {held} already: give another --out, or delete that folder to train anew.")
