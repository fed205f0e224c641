"""Whole studies from a recipe."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spine_fracture.anatomy import Level, Primary
from spine_fracture.errors import NotFoundError
from spine_fracture.imaging import Sequence, Volume
from spine_fracture.simulation.centres import Coverage
from spine_fracture.simulation.phantom import LevelTruth, Phantom, make_phantom
from spine_fracture.simulation.plane import Labels
from spine_fracture.simulation.recipe import PhantomRecipe
from spine_fracture.simulation.sampling import Series, plan_study, sample_series

SHOWN = 0.6  # share of a body's section that must be in the pictures for the level to count


@dataclass(frozen=True, eq=False)
class PhantomStudy:
    """A study with its truth. ``body_labels`` and ``altered_labels`` are aligned with ``volumes``: uint8
    (slices, rows, columns), 1 + Level.order. ``truth`` and the labels hold the levels of which the pictures
    show more than half; ``index_level`` is the patient's, None where the pictures do not show it.
    """

    patient_key: str
    centre: str
    field_strength: float
    primary_tumour: Primary | None
    age: float
    coverage: Coverage
    volumes: tuple[Volume, ...]
    body_labels: tuple[Labels, ...]
    altered_labels: tuple[Labels, ...]
    truth: tuple[LevelTruth, ...]
    index_level: Level | None = None

    def truth_of(self, level: Level) -> LevelTruth:
        for truth in self.truth:
            if truth.level is level:
                return truth
        raise NotFoundError(f"{level} is not in study {self.patient_key}: see its truth for what is.")


def simulate_study(seed: int, recipe: PhantomRecipe) -> PhantomStudy:
    """The study of this seed: same seed and recipe, same pixels."""
    rng = np.random.default_rng([seed, 7])
    sequences = recipe.sequences
    if rng.random() < recipe.extra_share:
        sequences += tuple(s for s in recipe.extra_sequences if s not in sequences)
    phantom = make_phantom(seed, recipe.model_copy(update={"sequences": sequences}))
    coverage = _coverage(recipe, rng)
    plan = plan_study(phantom, coverage, recipe.slices, rng)
    moved = rng.random() < recipe.patient_shift
    shift = (float(rng.normal(0, 3)), float(rng.normal(0, 3))) if moved else (0.0, 0.0)
    series: list[Series] = []
    for sequence in sequences:
        offset = shift if sequence is Sequence.T1 else (0.0, 0.0)
        series.append(sample_series(phantom, sequence, plan, rng, shift=offset))
    truth = tuple(t for t in phantom.truth if _shown(phantom, series[-1], t.level) >= SHOWN)
    index = phantom.patient.index_level
    kept = np.zeros(256, dtype=np.uint8)
    kept[[1 + t.level.order for t in truth]] = [1 + t.level.order for t in truth]
    return PhantomStudy(
        phantom.patient_key,
        phantom.centre.name,
        phantom.centre.field_strength,
        phantom.patient.primary_tumour,
        phantom.patient.age,
        coverage,
        tuple(s.volume for s in series),
        tuple(kept[s.level_labels] for s in series),
        tuple(kept[s.altered_labels] for s in series),
        truth,
        index if index in [t.level for t in truth] else None,
    )


def _shown(phantom: Phantom, series: Series, level: Level) -> float:
    """Share of a body's largest sagittal section that lies within the pictures."""
    value = 1 + level.order
    whole = (phantom.canvas.labels == value).sum(axis=(1, 2)).max()
    pixel = series.volume.frame.spacing[0]
    seen = (series.level_labels == value).sum(axis=(1, 2)).max() * pixel**2
    return float(seen / max(whole, 1))


def _coverage(recipe: PhantomRecipe, rng: np.random.Generator) -> Coverage:
    draw = rng.random()
    if draw < recipe.coverage.lumbar:
        return Coverage.LUMBAR
    return (
        Coverage.THORACOLUMBAR
        if draw < recipe.coverage.lumbar + recipe.coverage.thoracolumbar
        else Coverage.WHOLE
    )
