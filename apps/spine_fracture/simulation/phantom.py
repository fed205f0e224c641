"""A patient: spine, tissues, signal without noise, and the findings put in, at 1 mm."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from spine_fracture.anatomy import Diagnosis, Feature, Level, Primary
from spine_fracture.imaging import Pixels, Sequence
from spine_fracture.simulation.canvas import LesionCanvas
from spine_fracture.simulation.centres import Centre, centre_named
from spine_fracture.simulation.disease import Patient, draw_patient
from spine_fracture.simulation.lesions import Inserted, insert_findings
from spine_fracture.simulation.plane import Labels
from spine_fracture.simulation.rasterise import rasterise
from spine_fracture.simulation.recipe import PhantomRecipe
from spine_fracture.simulation.skeleton import Build, Skeleton, make_skeleton
from spine_fracture.simulation.textures import smooth_noise
from spine_fracture.simulation.tissues import (
    RELAXATION,
    WEIGHTINGS,
    Relaxation,
    Tissue,
    Weighting,
    signal_table,
    spin_echo,
)


@dataclass(frozen=True)
class LevelTruth:
    """What a level of a phantom is. ``primary`` only where it is malignant."""

    level: Level
    diagnosis: Diagnosis
    features: frozenset[Feature]
    primary: Primary | None


@dataclass(frozen=True, eq=False)
class Phantom:
    """``canvas`` holds noise-free signals (slices, rows, columns) at 1 mm, slices from the patient's
    left to the right, with the bodies' labels and the tissues; findings are in it already.
    ``altered`` uint8: 1 + Level.order where that level's finding changed the signal.
    """

    seed: int
    skeleton: Skeleton
    patient: Patient
    centre: Centre
    canvas: LesionCanvas
    altered: Labels
    truth: tuple[LevelTruth, ...]

    @property
    def patient_key(self) -> str:
        return patient_key(self.seed)

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        return self.skeleton.levels


def patient_key(seed: int) -> str:
    """The pseudonymous key of the phantom of that seed."""
    return f"phantom-{seed:06d}"


def make_phantom(seed: int, recipe: PhantomRecipe) -> Phantom:
    """The patient of this seed. Same seed and recipe, same voxels. About 3 s on one core, whole
    spine, T1 and T2.
    """
    rng = np.random.default_rng([seed, 2026])
    build = Build(
        size=float(rng.normal(1.0, 0.06)),
        age=float(np.clip(rng.normal(62, 15), 22, 92)),
        first=recipe.first,
        last=recipe.last,
        thirteen_thoracic=bool(rng.random() < recipe.supernumerary / 3),
        six_lumbar=bool(rng.random() < recipe.supernumerary * 2 / 3),
    )
    skeleton = make_skeleton(build, rng)
    centre = centre_named(recipe.centres[int(rng.integers(len(recipe.centres)))])
    patient = draw_patient(skeleton.levels, recipe, build.age, rng)
    tissue, labels = rasterise(skeleton, rng)
    pictures = _signals(tissue, labels, patient, centre, recipe.sequences, rng)
    plain = LesionCanvas(recipe.sequences, pictures, labels, (1.0, 1.0), tissue)
    insertion = insert_findings(plain, patient.findings, rng)
    return Phantom(
        seed,
        skeleton,
        patient,
        centre,
        insertion.canvas,
        _altered(insertion.inserted, labels.shape),
        _truth(skeleton.levels, patient),
    )


def weighting_at(centre: Centre, sequence: Sequence) -> Weighting:
    """The centre's own times for a sequence."""
    usual = WEIGHTINGS[sequence]
    return Weighting(
        round(usual.repetition * centre.repetition),
        round(usual.echo * centre.echo, 1),
        None if usual.inversion is None else usual.inversion * (1.2 if centre.field_strength > 2 else 1.0),
        usual.contrast,
    )


_GRAIN = {Tissue.MARROW: 0.0, Tissue.POSTERIOR_MARROW: 0.0, Tissue.MUSCLE: 0.14, Tissue.SOFT: 0.22,
          Tissue.FAT: 0.07, Tissue.NUCLEUS: 0.08, Tissue.ANNULUS: 0.12, Tissue.CSF: 0.05,
          Tissue.EPIDURAL_FAT: 0.06, Tissue.NUCLEUS_WORN: 0.12}  # fmt: skip


def _signals(
    tissue: Labels,
    labels: Labels,
    patient: Patient,
    centre: Centre,
    sequences: tuple[Sequence, ...],
    rng: np.random.Generator,
) -> tuple[Pixels, ...]:
    """Noise-free signal of each sequence, with the same texture in all of them."""
    coarse = smooth_noise(tissue.shape, (6, 7, 7), rng)
    texture = 0.7 * coarse + 0.7 * smooth_noise(tissue.shape, (2.5, 2.2, 2.2), rng)
    bodies = 1 + np.array([level.order for level in Level])
    offset = np.zeros(bodies.max() + 1, dtype=np.float32)
    offset[bodies] = rng.normal(0, 0.035, len(bodies))
    fatter = 0.05 * texture + offset[labels]
    made = []
    for sequence in sequences:
        table = signal_table(RELAXATION, weighting_at(centre, sequence), centre.field_strength)
        fat, water = table[Tissue.FAT], _water(centre, sequence)
        slope = np.zeros_like(table)
        grain = np.zeros_like(table)
        for marrow, extra in ((Tissue.MARROW, 0.0), (Tissue.POSTERIOR_MARROW, 0.12)):
            share = patient.marrow_fat + extra
            table[marrow] = 0.85 * (share * fat + (1 - share) * water)
            slope[marrow] = 0.85 * (fat - water)
        for kind, amount in _GRAIN.items():
            grain[kind] = amount * table[kind]
        picture = table[tissue] + slope[tissue] * fatter + grain[tissue] * texture
        made.append(np.maximum(picture, 0).astype(np.float32))
    return tuple(made)


def _water(centre: Centre, sequence: Sequence) -> np.float32:
    """Signal of the water of haematopoietic marrow."""
    water = Relaxation(0.7, 900, 48, 0.25)
    return np.float32(spin_echo(water, weighting_at(centre, sequence), centre.field_strength))


def _altered(inserted: tuple[Inserted, ...], shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    altered = np.zeros(shape, dtype=np.uint8)
    for item in inserted:
        if item.finding.diagnosis is Diagnosis.NORMAL:
            continue
        altered[item.mask] = 1 + item.level.order
    return altered


def _truth(levels: tuple[Level, ...], patient: Patient) -> tuple[LevelTruth, ...]:
    found = dict(patient.findings)
    return tuple(
        LevelTruth(level, found[level].diagnosis, found[level].features, found[level].primary)
        if level in found
        else LevelTruth(level, Diagnosis.NORMAL, frozenset(), None)
        for level in levels
        if level is not Level.C1
    )
