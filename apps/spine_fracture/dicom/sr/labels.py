"""Labels that people type at a box, such as ``L3 malignant``: plain statements only, nothing is guessed."""

from __future__ import annotations

import re
from dataclasses import dataclass

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.errors import InputError

_LEVEL = re.compile(r"(?<![A-Za-z0-9])([CTLS])[ -]?(\d{1,2})(?![0-9A-Za-z.])", re.IGNORECASE)
_WORDS: tuple[tuple[Diagnosis, re.Pattern[str]], ...] = tuple(
    (diagnosis, re.compile(pattern, re.IGNORECASE))
    for diagnosis, pattern in (
        (Diagnosis.MALIGNANT, r"\bmalignan\w*|\bmetasta\w*|\bmyeloma\w*"),
        (
            Diagnosis.BENIGN_FRACTURE,
            r"\bbenign(?![ _-]*ha?emangioma)\w*|\bosteoporo\w*|\binsufficiency[ _-]fracture\w*",
        ),
        (Diagnosis.HEMANGIOMA, r"\bha?emangioma\w*"),
        (Diagnosis.NORMAL, r"\bnormal\b"),
        (Diagnosis.OTHER, r"\bother\b"),
        (Diagnosis.INDETERMINATE, r"\bindeterminate\b|\bunclear\b|\buncertain\b"),
    )
)
_DOUBT = re.compile(
    r"\?|\b(?:no|not|non|without|versus|vs|or|possibl[ey]|suspicious|suspected|exclude\w*|rule[ds]? out)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Label:
    """What a label says; ``problem`` is empty when all of it is a plain statement."""

    level: Level | None
    diagnosis: Diagnosis | None
    problem: str = ""


def understand(text: str) -> Label:
    """The level and class that ``text`` states; several of either, or a doubt, are a problem."""
    levels = {level for level in map(_level, _LEVEL.finditer(text)) if level is not None}
    classes = {diagnosis for diagnosis, pattern in _WORDS if pattern.search(text)}
    level = next(iter(levels)) if len(levels) == 1 else None
    if len(levels) > 1:
        return Label(None, None, "Its label names more than one level: give each level a box of its own.")
    if len(classes) > 1:
        return Label(level, None, "Its label names more than one class: leave one, such as 'L3 malignant'.")
    if classes and _DOUBT.search(text):
        return Label(
            level, None, "Its label is no plain statement: write one class, such as 'L3 indeterminate'."
        )
    return Label(level, next(iter(classes), None))


def _level(found: re.Match[str]) -> Level | None:
    try:
        return Level.parse("".join(found.groups()))
    except InputError:
        return None
