"""What a cohort on disk is called: its recipe, what it was made of, and what came of it.

Two cohorts of one recipe differ in name where the code that made them did other things: a result
that tells its cohort's name tells exactly which pictures and labels it is about.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt
from pydantic import BaseModel

from spine_fracture.errors import InputError


@dataclass(frozen=True)
class CohortNaming:
    """``recipe`` names the configuration, snapshot or file that makes it, ``made_of`` is the sha256 of all
    that the making starts from.
    """

    recipe: str
    made_of: str

    @property
    def part(self) -> str:
        """Of the parts, while the whole is not there."""
        return f"{self.recipe}-{self.made_of[:12]}"

    @property
    def begins(self) -> str:
        """How the name of every whole cohort that is made of the same begins."""
        return f"{self.recipe}-{self.made_of[:8]}-"

    def whole(self, content: str) -> str:
        """Of the finished cohort, from the sha256 of its content."""
        return f"{self.begins}{content[:8]}"


class ContentDigest:
    """sha256 of every label and its pixels, in the order in which they are added."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, label: BaseModel, pixels: npt.NDArray[Any]) -> None:
        self._digest.update(label.model_dump_json().encode())
        self._digest.update(pixels.tobytes())

    @property
    def hex(self) -> str:
        return self._digest.hexdigest()


def refuse_other(found: str, begins: str, folder: Path) -> None:
    """Raises :class:`InputError` where the cohort that was found in ``folder`` is another one."""
    if not found.startswith(begins):
        raise InputError(
            f"{folder} holds the cohort {found}, not {begins.rstrip('-')}: choose another folder or empty "
            "this one."
        )
