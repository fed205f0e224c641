"""Puts findings into a phantom or a real picture: geometry first, once for all levels, then signal."""

from __future__ import annotations

from collections.abc import Sequence as Items
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from spine_fracture.anatomy import Level
from spine_fracture.simulation.canvas import LesionCanvas, body_frame
from spine_fracture.simulation.findings import Finding
from spine_fracture.simulation.layers import Region, layers_of
from spine_fracture.simulation.warp import Warp, collapse, null_warp

Mask = npt.NDArray[np.bool_]
_VISIBLE = 0.25  # share of change from which a voxel counts as altered


@dataclass(frozen=True, eq=False)
class Inserted:
    """A finding in its level; ``mask`` (slices, rows, columns) is where signal was changed."""

    level: Level
    finding: Finding
    mask: Mask


@dataclass(frozen=True, eq=False)
class Insertion:
    """The canvas with the findings in it (labels warped along), and each finding's mask."""

    canvas: LesionCanvas
    inserted: tuple[Inserted, ...]


def insert_findings(
    canvas: LesionCanvas, placed: Items[tuple[Level, Finding]], rng: np.random.Generator
) -> Insertion:
    """Put findings into their levels through one single interpolation of every picture.

    With no findings at all this is the null warp. Where *every* picture of a training set goes through this
    function, those without a finding too, each level of each class has been interpolated exactly once, by
    the same kernel, at a random sub-pixel position, and traces of interpolation say nothing about the class:
    so cohorts and the samples of classifiers are made. The detectors' source ``real`` does not go through;
    their augmentation interpolates all pictures once more.
    """
    warp = null_warp(_shape(canvas), rng)
    for level, finding in placed:
        _deform(warp, canvas, level, finding, rng)
    warped = replace(
        canvas,
        pictures=tuple(warp.apply(picture) for picture in canvas.pictures),
        labels=warp.apply_labels(canvas.labels),
        tissue=None if canvas.tissue is None else warp.apply_labels(canvas.tissue),
    )
    inserted = tuple(_alter(warped, level, finding, rng) for level, finding in placed)
    return Insertion(warped, inserted)


def _shape(canvas: LesionCanvas) -> tuple[int, int, int]:
    slices, rows, columns = canvas.labels.shape
    return (slices, rows, columns)


def _deform(
    warp: Warp, canvas: LesionCanvas, level: Level, finding: Finding, rng: np.random.Generator
) -> None:
    if not finding.deforms:
        return
    labels = warp.apply_labels(canvas.labels)
    collapse(warp, labels, body_frame(labels, level, canvas.mm), finding, rng)


def _alter(canvas: LesionCanvas, level: Level, finding: Finding, rng: np.random.Generator) -> Inserted:
    """Change the signal in place (the pictures were made by the warp and belong to this insertion)."""
    mask = np.zeros(canvas.labels.shape, dtype=bool)
    frame = body_frame(canvas.labels, level, canvas.mm)
    region = Region.around(canvas, frame)
    layers = layers_of(finding, region, rng)
    box = region.box
    body = canvas.labels[box] == 1 + level.order
    for sequence, picture in zip(canvas.sequences, canvas.pictures, strict=True):
        block = picture[box]
        marrow = float(np.median(block[body])) if body.any() else 0.0
        for layer in layers:
            block = layer.apply(block, sequence, marrow)
        picture[box] = block
    for layer in layers:
        mask[box] |= layer.share > _VISIBLE
    return Inserted(level, finding, mask)
