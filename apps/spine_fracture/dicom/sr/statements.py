"""What a report says: one table of statements on levels, whoever made them and whatever their form."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from spine_fracture.anatomy import Basis, Diagnosis, Feature, Level
from spine_fracture.errors import InputError
from spine_fracture.geometry import PixelBox


class Form(StrEnum):
    """``VIEWER`` is what OHIF draws again as editable rectangles; ``STANDARD`` is for archives and Slicer."""

    VIEWER = "viewer"
    STANDARD = "standard"


@dataclass(frozen=True)
class Reader:
    """A person, by a pseudonymous id."""

    id: str

    @property
    def title(self) -> str:
        return f"Read of {self.id}"


@dataclass(frozen=True)
class Algorithm:
    """A model or a pair of them, by name and version."""

    name: str
    version: str

    @property
    def title(self) -> str:
        return f"Model {self.name}"


Author = Reader | Algorithm


@dataclass(frozen=True)
class Region:
    """A box on one picture: ``frame`` counts from 1 and is 1 for a picture of a single frame.

    SR gives positions as (column, row) with (0, 0) at the top left corner of the top left pixel
    (PS3.3 C.18.6.1.2), as :class:`PixelBox` does, so nothing is shifted on the way.
    """

    sop_uid: str
    box: PixelBox
    frame: int = 1


@dataclass(frozen=True)
class Statement:
    """What an author says of one level.

    ``tracking_uid`` belongs to one level of one author, and a corrected statement keeps it.
    ``confidence`` (1 a guess, to 5 certain) is a person's, ``probability`` of the diagnosis a model's.
    """

    tracking_uid: str
    level: Level
    diagnosis: Diagnosis
    region: Region
    features: frozenset[Feature] = frozenset()
    confidence: int | None = None
    basis: Basis | None = None
    note: str = ""
    probability: float | None = None

    def __post_init__(self) -> None:
        if (self.confidence is None) == (self.probability is None):
            raise InputError(
                "A statement carries a reader's confidence or a model's probability: give one of them."
            )
        if self.confidence is not None and self.confidence not in range(1, 6):
            raise InputError(f"The confidence must be a whole number from 1 to 5, got {self.confidence!r}.")
        if self.probability is not None and not 0 <= self.probability <= 1:
            raise InputError(f"A probability lies between 0 and 1, got {self.probability!r}.")

    @property
    def strength(self) -> float:
        """The confidence or the probability, whichever it is."""
        strength = self.confidence if self.probability is None else self.probability
        assert strength is not None  # seen to when it was made
        return strength

    @property
    def label(self) -> str:
        """What a viewer shows at the box, e.g. ``L3 malignant`` or ``L3 malignant 0.83``."""
        words = f"{self.level} {self.diagnosis}"
        return words if self.probability is None else f"{words} {self.probability:.2f}"


@dataclass(frozen=True)
class StudyReport:
    """One instance of an author's series of reports on a study.

    ``replaces`` is the instance of the same series that this one takes the place of.
    """

    author: Author
    statements: tuple[Statement, ...]
    series_uid: str
    sop_uid: str
    instance_number: int = 1
    replaces: str | None = None

    def __post_init__(self) -> None:
        uids = [statement.tracking_uid for statement in self.statements]
        if len(set(uids)) != len(uids):
            raise InputError("Two statements have the same tracking UID: give one statement a level.")
