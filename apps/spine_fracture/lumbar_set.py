"""The layout of the open lumbar T1/T2 set: pictures in pairs, polygons, and notes in a manifest.

One mid-sagittal slice of T1 and of T2 a patient; spacing unknown. Any folder laid out likewise is
read the same way.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from spine_fracture.anatomy import Level, usual_levels
from spine_fracture.errors import InputError
from spine_fracture.geometry import FloatArray, PixelBox
from spine_fracture.pictures import read_grey as read_grey

#: C, T (or TH) or L with a number, or S1; not inside a word, but levels may follow each other: "L5S1".
_LEVEL_IN_TEXT = re.compile(r"(?<![A-Z])(?:(?:(C|L|T)|(T)H)\s?(\d{1,2})|(S)\s?(1))(?!\d)", re.IGNORECASE)

#: Neighbouring bodies further apart than this many times their neighbours: one was not outlined.
_SKIPPED = 1.45


@dataclass(frozen=True, eq=False)
class ReferenceVertebra:
    """A vertebra outlined by hand: ``polygon`` (n, 2) and ``box`` in T1 pixels, (x, y)."""

    level: Level
    polygon: FloatArray
    box: PixelBox


@dataclass(frozen=True)
class NotedFinding:
    """A keyword reading of a radiologist's note; ``levels`` are those named in ``level_text``."""

    kind: str
    level_text: str
    wording: str

    @property
    def levels(self) -> tuple[Level, ...]:
        named = ("".join(part for part in match if part) for match in _LEVEL_IN_TEXT.findall(self.level_text))
        known = [Level(name.upper()) for name in named if name.upper() in Level.__members__]
        return tuple(dict.fromkeys(known))


@dataclass(frozen=True, eq=False)
class LumbarPatient:
    """One entry of the manifest.

    ``t1_to_t2`` (dx, dy) in pixels is added to a T1 position to find it in T2. ``repaired`` says
    that a name given twice was put right by the order of the vertebrae.
    """

    patient: str
    t1: Path
    t2: Path
    vertebrae: tuple[ReferenceVertebra, ...]
    t1_to_t2: tuple[float, float]
    findings: tuple[NotedFinding, ...]
    repaired: bool

    @property
    def key(self) -> str:
        """The pseudonymous key under which this patient is split."""
        return f"lumbar-t1t2-{self.patient}"


def read_lumbar_set(folder: Path) -> tuple[LumbarPatient, ...]:
    """All patients of ``folder/manifest.json``, in the manifest's order."""
    path = folder / "manifest.json"
    try:
        entries = json.loads(path.read_text())
    except FileNotFoundError:
        raise InputError(f"No manifest.json in {folder}: give the folder that holds it.") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(entries, list):
        raise InputError(f"{path} must hold a list with one entry a patient.")
    return tuple(_patient(folder, entry, number) for number, entry in enumerate(entries))


def skips_a_body(patient: LumbarPatient) -> bool:
    """Whether a visible body was left without outline between two outlined ones (e.g. an L6)."""
    centres = np.array([v.box.centre for v in patient.vertebrae])
    steps = np.linalg.norm(np.diff(centres, axis=0), axis=1)
    return bool((steps[1:] > _SKIPPED * steps[:-1]).any())


def _patient(folder: Path, entry: Any, number: int) -> LumbarPatient:
    try:
        shift_rows, shift_columns = entry.get("t1_t2_shift_px") or (0.0, 0.0)
        vertebrae, repaired = _in_order(tuple(_vertebra(v) for v in entry.get("vertebrae") or ()))
        return LumbarPatient(
            patient=str(entry["patient"]),
            t1=folder / entry["T1"]["file"],
            t2=folder / entry["T2"]["file"],
            vertebrae=vertebrae,
            t1_to_t2=(-float(shift_columns), -float(shift_rows)),
            findings=_findings(entry.get("finding_from_note")),
            repaired=repaired,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"Entry {number} of manifest.json is not laid out as expected: {error!r}") from error


def _vertebra(entry: Any) -> ReferenceVertebra:
    box = PixelBox(*(float(v) for v in entry["box"]))
    polygon = np.asarray(entry.get("polygon") or box.corners(), dtype=np.float64).reshape(-1, 2)
    return ReferenceVertebra(Level.parse(entry["level"]), polygon, box)


def _in_order(vertebrae: tuple[ReferenceVertebra, ...]) -> tuple[tuple[ReferenceVertebra, ...], bool]:
    """Head to foot, a name given twice replaced by the one that the order asks for."""
    ordered = sorted(vertebrae, key=lambda v: v.box.centre[1])
    if all(upper.level.order < lower.level.order for upper, lower in pairwise(ordered)):
        return tuple(ordered), False
    column = usual_levels()
    runs = [column[at : at + len(ordered)] for at in range(len(column) - len(ordered) + 1)]
    best = max(runs, key=lambda run: sum(name is v.level for name, v in zip(run, ordered, strict=True)))
    renamed = [ReferenceVertebra(name, v.polygon, v.box) for name, v in zip(best, ordered, strict=True)]
    return tuple(renamed), True


def _findings(value: Any) -> tuple[NotedFinding, ...]:
    """One [kind, level, wording] or a list of them; nothing when the note named no finding."""
    if not value:
        return ()
    rows = [value] if isinstance(value[0], str) else value
    return tuple(NotedFinding(*(str(part or "") for part in (*row, "", "")[:3])) for row in rows)
