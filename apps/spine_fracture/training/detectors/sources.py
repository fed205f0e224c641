"""Where the detector's pictures come from: real pairs, findings put into them, and phantoms."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.cohort.splits import Split, split_of
from spine_fracture.configuration import load_config
from spine_fracture.geometry import FloatArray
from spine_fracture.imaging import Sequence as MrSequence
from spine_fracture.lumbar_set import LumbarPatient, read_lumbar_set, skips_a_body
from spine_fracture.simulation.canvas import LesionCanvas
from spine_fracture.simulation.lesions import insert_findings
from spine_fracture.simulation.recipe import PhantomRecipe
from spine_fracture.simulation.study import PhantomStudy, simulate_study
from spine_fracture.training.classifiers.samples import draw_findings, phantom_seeds, shows_finding
from spine_fracture.training.detectors.config import DetectorConfig
from spine_fracture.training.detectors.pictures import (
    DOUBTFUL,
    Grey,
    TeachingPicture,
    horizon_above,
    kind_of,
    real_picture,
    slices_near_middle,
    stretched,
    tiles,
)
from spine_fracture.training.processes import each

Mask = npt.NDArray[np.bool_]
#: Share of a body's largest section from which a slice shows a body, and below which it shows none.
_BODY, _NO_BODY = 0.5, 0.15
#: Sub-pixels a side when an outline is turned into a mask.
_FINE = 8


def training_patients(data: Path) -> tuple[LumbarPatient, ...]:
    """Real patients that teach: of the training split, without any noted finding or skipped body."""
    return tuple(
        p
        for p in read_lumbar_set(data)
        if split_of(p.key) is Split.TRAIN and not (p.findings or skips_a_body(p))
    )


def teaching_pictures(
    config: DetectorConfig, data: Path | None, tell: Callable[[str, int, int], None]
) -> Iterator[tuple[str, TeachingPicture]]:
    """All pictures of a training, each with the name of its source."""
    patients = training_patients(data) if data else ()
    for number, patient in enumerate(patients):
        yield "real", real_picture(patient, config.size)
        for variant in range(config.sources.lesions):
            yield "lesion", lesion_picture(patient, config.size, (config.seed, variant))
        tell("real pairs", number + 1, len(patients))
    seeds = phantom_seeds(config.sources.recipe, Split.TRAIN, config.sources.phantoms)
    made = each(partial(_pictures_of_seed, config), seeds, workers=config.sources.workers)
    for number, pictures in enumerate(made):
        yield from (("phantom", picture) for picture in pictures)
        tell("phantoms", number + 1, len(seeds))


def lesion_picture(patient: LumbarPatient, side: int, seed: tuple[int, ...]) -> TeachingPicture:
    """A real pair with one to three simulated findings; outlines follow the collapse."""
    rng = np.random.default_rng((*seed, zlib.crc32(patient.key.encode())))
    plain = real_picture(patient, side)
    levels = tuple(v.level for v in patient.vertebrae)
    labels = np.zeros((1, side, side), np.uint8)
    for level, outline in zip(levels, plain.outlines, strict=True):
        labels[0][filled(outline, side)] = 1 + level.order
    channels = plain.pixels[:, None].astype(np.float32) / 255
    canvas = LesionCanvas((MrSequence.T1, MrSequence.T2), (channels[0], channels[1]), labels)
    placed = draw_findings(levels, rng)
    changed = insert_findings(canvas, placed, rng).canvas
    altered = {level for level, _ in placed}
    outlines = tuple(hull(changed.labels[0] == 1 + level.order) for level in levels)
    return TeachingPicture(
        pixels=np.rint(np.stack([p[0].clip(0, 1) for p in changed.pictures]) * 255).astype(np.uint8),
        outlines=outlines,
        kinds=tuple(kind_of(level, altered=level in altered) for level in levels),
        horizon=horizon_above(outlines),
    )


def _pictures_of_seed(config: DetectorConfig, seed: int) -> tuple[TeachingPicture, ...]:
    recipe = load_config(config.sources.recipe, PhantomRecipe)
    still = recipe.model_copy(update={"patient_shift": 0.0, "extra_share": 0.0})
    rng = np.random.default_rng((config.seed, seed))
    return phantom_pictures(simulate_study(seed, still), config.size, config.sources.slices, rng)


def phantom_stack(study: PhantomStudy) -> npt.NDArray[np.uint8]:
    """T1 and T2 of a phantom that kept still, (slices, 2, rows, columns), each stretched as a series."""
    by_sequence = {volume.sequence: volume.pixels for volume in study.volumes}
    return np.stack([stretched(by_sequence[s]) for s in (MrSequence.T1, MrSequence.T2)], axis=1)


def phantom_labels(study: PhantomStudy) -> tuple[Grey, Grey]:
    """Bodies and altered marrow on T2's grid, (slices, rows, columns), 1 + Level.order."""
    at = [volume.sequence for volume in study.volumes].index(MrSequence.T2)
    return study.body_labels[at], study.altered_labels[at]


def phantom_pictures(
    study: PhantomStudy, side: int, slices: int, rng: np.random.Generator
) -> tuple[TeachingPicture, ...]:
    """``slices`` slices, mostly near the middle, as square tiles of the size the network reads."""
    pixels = phantom_stack(study)
    bodies, altered = phantom_labels(study)
    pictures: list[TeachingPicture] = []
    for at in slices_near_middle(len(pixels), slices, rng):
        found = [_seen_body(bodies, altered, at, truth.level, truth.diagnosis) for truth in study.truth]
        seen = [body for body in found if body is not None]
        pictures.extend(tiles(pixels[at], [outline for outline, _ in seen], [kind for _, kind in seen], side))
    return tuple(pictures)


def _seen_body(
    bodies: Grey, altered: Grey, at: int, level: Level, diagnosis: Diagnosis
) -> tuple[FloatArray, int] | None:
    """Outline and kind of a body on slice ``at``; None where the slice does not show it."""
    value = 1 + level.order
    mask = bodies[at] == value
    share = mask.sum() / max((bodies == value).sum(axis=(1, 2)).max(), 1)
    if level is Level.C1 or share < _NO_BODY:
        return None
    if share < _BODY:
        return hull(mask), DOUBTFUL
    extent = (altered == value).sum(axis=(1, 2))
    shown = bool(shows_finding(extent)[at])
    return hull(mask), kind_of(level, altered=diagnosis is not Diagnosis.NORMAL and shown)


def filled(outline: FloatArray, side: int) -> Mask:
    """The pixels (side, side) whose centre lies in the polygon."""
    fine = np.zeros((side * _FINE, side * _FINE), np.uint8)
    cv2.fillPoly(fine, [np.rint(outline * _FINE).astype(np.int32)], (1,))
    return np.asarray(fine[_FINE // 2 :: _FINE, _FINE // 2 :: _FINE] > 0)


def hull(mask: Mask) -> FloatArray:
    """The convex hull (n, 2) of the pixels' areas: its tight box, however turned, is the mask's."""
    rows, columns = np.nonzero(mask)
    corners = np.concatenate([np.column_stack([columns + dx, rows + dy]) for dx in (0, 1) for dy in (0, 1)])
    return np.asarray(cv2.convexHull(corners.astype(np.int32))[:, 0], np.float64)
