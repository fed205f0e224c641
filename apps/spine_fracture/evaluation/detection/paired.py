"""Detectors against each other, on the same pictures of the same patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from spine_fracture.errors import InputError
from spine_fracture.evaluation.answers import Part
from spine_fracture.evaluation.boxes import PictureAnswer
from spine_fracture.evaluation.cases.differences import BoxMetric, Difference, drawn_difference, with_holm
from spine_fracture.evaluation.detection.average_precision import drawn_precision
from spine_fracture.evaluation.detection.matching import match
from spine_fracture.evaluation.statistics.intervals import Resampling


@dataclass(frozen=True)
class BoxPair:
    """Two detectors on the pictures that all of a table have read; ``difference`` counts these as cases."""

    first: str
    second: str
    difference: Difference


@dataclass(frozen=True)
class BoxTable:
    """Detectors of one task; p is adjusted over all pairs."""

    part: Part
    task: str
    pairs: tuple[BoxPair, ...]


def paired_precision(
    read: Mapping[str, Sequence[PictureAnswer]], resampling: Resampling | None = None
) -> tuple[BoxPair, ...]:
    """How much more mAP50-95 each detector, by name, has than each one before it, by paired bootstrap over
    patients, on the pictures that all of them read; none where these are not of two patients.

    Raises :class:`InputError` where the detectors were told different boxes of one picture.
    """
    names = list(combinations(read, 2))
    how = (resampling or Resampling()).enough_for(len(names))
    shared = _shared(read)
    pictures = next(iter(shared.values()), ())
    patients = {picture.patient for picture in pictures}
    if not names or len(patients) < 2 or not any(picture.reference for picture in pictures):
        return ()
    drawn = {name: drawn_precision(match(own), how).mean(axis=0) for name, own in shared.items()}
    counts = len(pictures), len(patients)
    found = with_holm(
        [drawn_difference(BoxMetric.MAP50_95, drawn[one], drawn[other], *counts, how) for one, other in names]
    )
    return tuple(
        BoxPair(one, other, difference)
        for (one, other), difference in zip(names, found, strict=True)
        if difference is not None
    )


def _shared(read: Mapping[str, Sequence[PictureAnswer]]) -> dict[str, list[PictureAnswer]]:
    """Those pictures that all detectors read, in one order."""
    by_key = {name: _by_key(name, pictures) for name, pictures in read.items()}
    first = next(iter(by_key.values()), {})
    keys = [key for key in first if all(key in own for own in by_key.values())]
    for key in keys:
        if any(own[key].reference != first[key].reference for own in by_key.values()):
            raise InputError(
                f"Detectors were told different boxes of the picture {key[1]}: let all read the same cohort."
            )
    return {name: [own[key] for key in keys] for name, own in by_key.items()}


def _by_key(name: str, pictures: Sequence[PictureAnswer]) -> dict[tuple[str, str], PictureAnswer]:
    """Raises :class:`InputError` where two pictures go by one name, and one would stand for the other."""
    by_key: dict[tuple[str, str], PictureAnswer] = {}
    for picture in pictures:
        if by_key.setdefault((picture.patient, picture.picture), picture) is not picture:
            raise InputError(
                f"{name} read two pictures called {picture.picture}: let it answer the cohort again, which "
                "gives those of a patient's later studies names of their own."
            )
    return by_key
