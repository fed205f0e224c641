"""What the classifier learns from: simulated findings in real pictures, and phantoms.

Levels of real patients about whom a note says anything are never used, nor are their other levels.
Every picture, with findings or without, passes one and the same resampling, so that no class can be
told by traces of interpolation.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.classification.crops import BoxOnSlice, middle
from spine_fracture.cohort.splits import Split, split_of
from spine_fracture.configuration import load_config
from spine_fracture.dicom.pairing import scaled
from spine_fracture.evaluation.seen import picture_hash
from spine_fracture.geometry import PixelBox
from spine_fracture.imaging import Pixels, Sequence
from spine_fracture.lumbar_set import LumbarPatient, read_grey, read_lumbar_set
from spine_fracture.simulation.canvas import LesionCanvas
from spine_fracture.simulation.findings import Finding, draw_finding, draw_primary, draw_variant
from spine_fracture.simulation.lesions import insert_findings
from spine_fracture.simulation.phantom import patient_key
from spine_fracture.simulation.recipe import PhantomRecipe
from spine_fracture.simulation.study import PhantomStudy, simulate_study
from spine_fracture.training.classifiers.cache import CropCacheWriter, LabelledLevel, LabelledStudy
from spine_fracture.training.classifiers.config import ClassifierTraining, Samples

Labels = npt.NDArray[np.uint8]
#: What a simulated patient has; ``None`` is a patient with a benign fracture and a hemangioma.
_DISEASES: tuple[Diagnosis | None, ...] = (
    Diagnosis.BENIGN_FRACTURE,
    Diagnosis.MALIGNANT,
    Diagnosis.HEMANGIOMA,
    None,
)
_READ_SLICES = 5  # about the middle of a level, where a reader and the served classifier look
_FINDING = 0.15  # share of a finding's largest extent on a slice from which that slice shows it

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Counted:
    """How many real patients and phantoms a cache was made of."""

    real: int
    phantoms: int


def export_samples(
    config: ClassifierTraining,
    data: Path | None,
    folder: Path,
    splits: Iterable[Split],
    tell: Tell | None = None,
) -> Counted:
    """Write the crops of these splits' patients to ``folder``; validation patients are held out.

    ``data`` is a folder laid out like the lumbar set, or None for phantoms alone. ``tell`` hears
    what was done, of how many.
    """
    wanted = frozenset(splits)
    samples = config.samples
    patients = [] if data is None else _without_findings(read_lumbar_set(data))
    patients = [patient for patient in patients if split_of(patient.key) in wanted]
    seeds = [seed for split in sorted(wanted) for seed in _seeds(samples, split)]
    recipe = load_config(samples.recipe, PhantomRecipe)
    with CropCacheWriter(folder, config.network.margin) as writer:
        for number, patient in enumerate(patients):
            split = split_of(patient.key)
            variants = samples.variants if split is Split.TRAIN else samples.judging_variants
            for study in real_variants(patient, variants, samples.harmless, config.seed):
                writer.add(study, "simulated_in_real", held_out=split is Split.VALIDATION)
            if tell:
                tell("real pictures", number + 1, len(patients))
        for number, seed in enumerate(seeds):
            study = phantom_sample(simulate_study(seed, recipe), samples.slices, seed)
            held_out = split_of(patient_key(seed)) is Split.VALIDATION
            writer.add(study, "phantom", held_out=held_out)
            if tell:
                tell("phantoms", number + 1, len(seeds))
    return Counted(len(patients), len(seeds))


@dataclass(frozen=True, eq=False)
class RealPair:
    """A patient's T1, moved by the manifest's shift, and T2: ``pixels`` (1, 2, rows, columns) in [0, 1],
    ``labels`` (1, rows, columns), 1 + Level.order in the bodies; ``boxes`` of ``levels``, head to foot.
    """

    name: str
    pixels: Pixels
    labels: Labels
    levels: tuple[Level, ...]
    boxes: tuple[PixelBox, ...]


def real_pair(patient: LumbarPatient) -> RealPair:
    """Read a patient of the lumbar set; ``name`` is the hash of the pictures as they are on disk."""
    t1, t2 = read_grey(patient.t1), read_grey(patient.t2)
    dx, dy = patient.t1_to_t2
    moved = cv2.warpAffine(t1, np.array([[1.0, 0.0, dx], [0.0, 1.0, dy]]), t2.shape[::-1])
    labels = np.zeros((1, *t2.shape), np.uint8)
    for vertebra in patient.vertebrae:
        outline = np.rint(vertebra.polygon + patient.t1_to_t2).astype(np.int32)
        cv2.fillPoly(labels[0], [outline], (1 + vertebra.level.order,))
    return RealPair(
        picture_hash(t1, t2),
        np.stack([scaled(picture[None].astype(np.float32)) for picture in (moved, t2)], axis=1),
        labels,
        tuple(vertebra.level for vertebra in patient.vertebrae),
        tuple(vertebra.box.shifted(dx, dy) for vertebra in patient.vertebrae),
    )


def real_variants(
    patient: LumbarPatient, variants: int, harmless: float, seed: int
) -> Iterator[LabelledStudy]:
    """The patient's pair with other simulated findings each time, one slice.

    ``harmless`` is the share of the other levels that get a degenerative change; they stay normal.
    """
    pair = real_pair(patient)
    canvas = LesionCanvas((Sequence.T1, Sequence.T2), (pair.pixels[:, 0], pair.pixels[:, 1]), pair.labels)
    for variant in range(variants):
        rng = np.random.default_rng((seed, zlib.crc32(patient.key.encode()), variant))
        found = draw_findings(canvas.levels, rng)
        spared = [level for level in canvas.levels if level not in dict(found)]
        changes = [(level, draw_variant(rng)) for level in spared if rng.random() < harmless]
        changed = insert_findings(canvas, [*found, *changes], rng).canvas
        pixels = np.stack([picture.clip(0, 1) for picture in changed.pictures], axis=1)
        classes = {level: finding.diagnosis for level, finding in found}
        boxes = boxes_by_level(changed.labels)
        levels = tuple(LabelledLevel(b, classes.get(level, Diagnosis.NORMAL)) for level, b in boxes.items())
        yield LabelledStudy(pair.name, pixels, levels)


def draw_findings(levels: tuple[Level, ...], rng: np.random.Generator) -> tuple[tuple[Level, Finding], ...]:
    """One to three findings of a patient, as one slice can show them, in levels drawn at random."""
    disease = _DISEASES[int(rng.integers(len(_DISEASES)))]
    primary = draw_primary(rng)
    chosen = rng.permutation(len(levels))[: int(rng.integers(1, 4))]
    placed = []
    for place, index in enumerate(chosen):
        level = levels[int(index)]
        kind = disease or (Diagnosis.BENIGN_FRACTURE, Diagnosis.HEMANGIOMA)[place % 2]
        if kind is Diagnosis.BENIGN_FRACTURE and level is Level.S1:
            continue  # the sacrum's body does not collapse like the others
        placed.append((level, draw_finding(kind, rng, single_slice=True, primary=primary)))
    return tuple(placed)


def phantom_seeds(recipe: str, split: Split, number: int) -> tuple[int, ...]:
    """The first ``number`` seeds of the recipe of this name whose patients fall into ``split``."""
    first = load_config(recipe, PhantomRecipe).first_seed
    return tuple(islice((seed for seed in count(first) if split_of(patient_key(seed)) is split), number))


def _seeds(samples: Samples, split: Split) -> tuple[int, ...]:
    wanted = {
        Split.TRAIN: samples.training_phantoms,
        Split.VALIDATION: samples.validation_phantoms,
        Split.TEST: samples.test_phantoms,
    }
    return phantom_seeds(samples.recipe, split, wanted[split])


def phantom_sample(study: PhantomStudy, slices: int, seed: int) -> LabelledStudy:
    """A phantom's T1 and T2 with at most ``slices`` of the middle slices of each level that show it."""
    rng = np.random.default_rng((seed, 11))
    by_sequence = {volume.sequence: at for at, volume in enumerate(study.volumes)}
    t1, t2 = by_sequence[Sequence.T1], by_sequence[Sequence.T2]
    pixels = np.stack([scaled(study.volumes[at].pixels) for at in (t1, t2)], axis=1)
    altered = study.altered_labels[t2]
    levels = []
    for level, boxes in boxes_by_level(study.body_labels[t2]).items():
        shown = _showing(middle(boxes, _READ_SLICES), altered == 1 + level.order)
        kept = sorted(rng.permutation(len(shown))[:slices])
        levels.append(LabelledLevel(tuple(shown[i] for i in kept), study.truth_of(level).diagnosis))
    grey = np.rint(pixels * 255).astype(np.uint8)
    return LabelledStudy(picture_hash(grey[:, 0], grey[:, 1]), pixels, tuple(levels))


def boxes_by_level(labels: Labels) -> Mapping[Level, tuple[BoxOnSlice, ...]]:
    """Boxes on slices of each body in (slices, rows, columns) labels, 1 + Level.order, head to foot."""
    found: dict[Level, tuple[BoxOnSlice, ...]] = {}
    for level in Level:
        boxes = [(index, _box(plane == 1 + level.order)) for index, plane in enumerate(labels)]
        if kept := tuple((index, box) for index, box in boxes if box is not None):
            found[level] = kept
    return found


def _box(mask: npt.NDArray[np.bool_]) -> PixelBox | None:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return PixelBox(float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))


def _showing(boxes: tuple[BoxOnSlice, ...], altered: npt.NDArray[np.bool_]) -> tuple[BoxOnSlice, ...]:
    """The slices on which enough of the finding is seen; all where it changed shape alone."""
    extent = np.array([altered[index].sum() for index, _ in boxes])
    return tuple(box for box, shown in zip(boxes, shows_finding(extent), strict=True) if shown)


def shows_finding(extent: npt.NDArray[np.int_]) -> npt.NDArray[np.bool_]:
    """Which slices show a finding that changed so many pixels on each; all where it changed shape alone."""
    return np.asarray(extent >= _FINDING * extent.max())


def _without_findings(patients: Iterable[LumbarPatient]) -> list[LumbarPatient]:
    return [patient for patient in patients if not patient.findings]
