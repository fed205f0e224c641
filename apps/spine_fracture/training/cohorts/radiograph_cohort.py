"""A simulated cohort of radiographs on disk: made in parts, so that an interrupted making goes on."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from spine_fracture.cohort.splits import split_of
from spine_fracture.errors import InputError
from spine_fracture.radiography import Picture
from spine_fracture.simulation.radiograph import SimulatedView, simulate_radiographs
from spine_fracture.simulation.radiograph_recipe import RadiographRecipe
from spine_fracture.training.cohorts.naming import CohortNaming, ContentDigest, refuse_other
from spine_fracture.training.cohorts.radiograph_cache import (
    RadiographCache,
    RadiographCacheWriter,
    RadiographLabel,
    RadiographLevel,
)

RADIOGRAPHS = "radiographs"
_PARTS = "radiographs-parts"
_PATIENTS_A_PART = 10


def make_radiographs(
    recipe: RadiographRecipe, out: Path, tell: Callable[[int, int], None]
) -> RadiographCache:
    """The cohort in ``out / radiographs``, made or taken up where a making ended; ``tell`` hears (done, of).

    A patient takes about two seconds on one core. Raises :class:`InputError` when ``out`` holds others.
    """
    naming = CohortNaming(recipe.name, hashlib.sha256(recipe.model_dump_json().encode()).hexdigest())
    if (made := _made(out / RADIOGRAPHS, naming.begins)) is not None:
        return made
    first, count = recipe.phantoms.first_seed, recipe.phantoms.patients
    parts = []
    for at in range(0, count, _PATIENTS_A_PART):
        tell(at, count)
        part = out / _PARTS / f"{at:06d}"
        if _made(part, naming.part) is None:
            with RadiographCacheWriter(part, naming.part) as writer:
                for seed in range(first + at, first + min(at + _PATIENTS_A_PART, count)):
                    _add(writer, seed, recipe)
        parts.append(RadiographCache(part))
    content = ContentDigest()
    for label, pixels in _patients(parts):
        content.add(label, pixels)
    with RadiographCacheWriter(out / RADIOGRAPHS, naming.whole(content.hex)) as writer:
        for label, pixels in _patients(parts):
            writer.add(label, pixels)
    tell(count, count)
    shutil.rmtree(out / _PARTS)
    return RadiographCache(out / RADIOGRAPHS)


def _patients(parts: Sequence[RadiographCache]) -> Iterator[tuple[RadiographLabel, Picture]]:
    return (patient for part in parts for patient in zip(part.labels, part.pixels, strict=True))


def _made(folder: Path, begins: str) -> RadiographCache | None:
    """The cache in this folder, whose name must begin so; None where there is no whole one."""
    try:
        found = RadiographCache(folder)
    except InputError:
        return None
    refuse_other(found.name, begins, folder)
    return found


def _add(writer: RadiographCacheWriter, seed: int, recipe: RadiographRecipe) -> None:
    made = simulate_radiographs(seed, recipe)
    ap, lateral = made.views
    label = RadiographLabel(
        patient=made.patient_key,
        centre=made.centre,
        split=split_of(made.patient_key),
        external=made.centre in recipe.external,
        diagnosis=made.diagnosis,
        primary=made.primary or "",
        age=round(made.age, 1),
        levels=(_levels(ap), _levels(lateral)),
    )
    writer.add(label, np.stack([ap.pixels, lateral.pixels]))


def _levels(view: SimulatedView) -> tuple[RadiographLevel, ...]:
    return tuple(
        RadiographLevel(level=seen.level, diagnosis=seen.diagnosis, box=seen.box.as_tuple(), sign=seen.sign)
        for seen in view.levels
    )
