"""Which level a box drawn elsewhere is about: by where it lies, and by the name it gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from spine_fracture.anatomy import Level
from spine_fracture.cohort.levels import level_at
from spine_fracture.cohort.models import Series, Study, StudyLevel
from spine_fracture.cohort.reads import DrawnBox
from spine_fracture.dicom.grid import SeriesGrid
from spine_fracture.dicom.sr.found import FoundRegion, FoundStatement
from spine_fracture.errors import InputError
from spine_fracture.geometry import FloatArray, PixelBox

#: A name that is off by one corrects the numbering; one further off is a slip.
_RENUMBERED = 1
#: Spacings that differ by less than this share move no box by half a pixel.
_SQUARE = 1e-3


@dataclass(frozen=True)
class Picture:
    """The series that a region lies on, with its grid, and which slice of it."""

    series: Series
    grid: SeriesGrid
    index: int


@dataclass(frozen=True)
class Match:
    """``name`` is None when the author gave none, ``box`` when the level's own box stays."""

    level: StudyLevel
    name: Level | None
    box: DrawnBox | None


class UnmatchedError(Exception):
    """A statement that belongs to no level; its text says why, for people."""


def match(
    study: Study,
    statement: FoundStatement,
    find: Callable[[FoundRegion], Picture | None],
    *,
    is_ohifs: bool = False,
) -> Match:
    """The level of ``study`` that ``statement`` is about; ``find`` gives the picture of a region.

    Raises :class:`UnmatchedError`. Place goes before name; without a place the name alone decides.
    ``is_ohifs``: drawn in stock OHIF, which (3.12) takes the spacing of rows for that of columns and so
    misplaces boxes where pixels are not square.
    """
    levels = [level for level in study.levels if level.current]
    if statement.diagnosis is None:
        raise UnmatchedError(
            " ".join(statement.problems) or "It says no class: label the box like 'L3 malignant'."
        )
    if statement.region is None:
        return Match(_by_name(levels, statement), statement.level, None)
    picture = find(statement.region)
    if picture is None:
        raise UnmatchedError("It lies on a picture that this study does not have here: draw it on T1 or T2.")
    column, row, _ = picture.grid.stored.spacing
    if is_ohifs and abs(column - row) > _SQUARE * row:
        raise UnmatchedError(
            "Its viewer misplaces boxes on pictures whose pixels are not square: draw it in the reading room."
        )
    centre = picture.grid.to_shown([statement.region.centre], picture.index)[0]
    level = level_at(levels, lambda level: _away(level, picture, centre))
    if level is None:
        raise UnmatchedError("No vertebra was found where it lies: draw the level in the reading room first.")
    if statement.level is not None and abs(statement.level.order - level.name.order) > _RENUMBERED:
        raise UnmatchedError(
            f"It says {statement.level} but lies on {level.name}: correct the label, or move the box."
        )
    if statement.region.box is None:
        if statement.level is not level.name:
            raise UnmatchedError(" ".join(statement.problems))
        return Match(level, statement.level, None)
    return Match(level, statement.level, _drawn(statement.region.box, picture))


def _by_name(levels: Sequence[StudyLevel], statement: FoundStatement) -> StudyLevel:
    named = [level for level in levels if level.name is statement.level]
    if statement.level is None or len(named) != 1:
        raise UnmatchedError(
            " ".join(statement.problems) or "It has neither a place nor the name of a level."
        )
    return named[0]


def _away(level: StudyLevel, picture: Picture, centre: FloatArray) -> float:
    """Distance of a point (shown pixels) from the level's centre in its plane, in heights of the level."""
    outlined = [one for one in level.slices if one.series_id == picture.series.id]
    if outlined:
        box = min(outlined, key=lambda one: abs(one.slice_index - picture.index)).box
        return float(np.hypot(*(centre - box.centre)) / box.height)
    point = picture.grid.shown.to_patient([[*centre, picture.index + 0.5]])[0]
    return level.box.in_plane_mm(point) / float(level.box.size[1])


def _drawn(box: PixelBox, picture: Picture) -> DrawnBox | None:
    """The box as our readers' boxes are; None on a series that is not of the pair, where none is kept."""
    if picture.series.role is None:
        return None
    shown = PixelBox.around(picture.grid.to_shown(box.corners(), picture.index))
    try:
        inside = shown.inside(picture.series.rows, picture.series.columns)
    except InputError as error:
        raise UnmatchedError(str(error)) from None
    return DrawnBox(picture.series.uid, picture.index, inside)
