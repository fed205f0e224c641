"""A textured single-slice T1 and T2 picture with five marked bodies, made in milliseconds, and altered."""

from __future__ import annotations

import cv2
import numpy as np

from spine_fracture.anatomy import Level
from spine_fracture.imaging import Sequence
from spine_fracture.simulation.canvas import LesionCanvas
from spine_fracture.simulation.findings import Finding
from spine_fracture.simulation.lesions import Insertion, insert_findings
from spine_fracture.simulation.textures import smooth_noise

LEVELS = (Level.L1, Level.L2, Level.L3, Level.L4, Level.L5)
HEIGHT, DEPTH, DISC = 30, 40, 10


def textured_canvas(seed: int, *, slices: int = 1) -> LesionCanvas:
    """Bodies of 30 x 40 px, a little turned, in noise that has grain at two scales."""
    rng = np.random.default_rng(seed)
    rows, columns = 40 + len(LEVELS) * (HEIGHT + DISC) + 40, 160
    labels = np.zeros((slices, rows, columns), dtype=np.uint8)
    signal = np.full((slices, rows, columns), 40.0, dtype=np.float32)
    for index, level in enumerate(LEVELS):
        centre = (75 + 6 * np.sin(index / 2), 40 + (index + 0.5) * (HEIGHT + DISC))
        box = cv2.boxPoints((centre, (DEPTH, HEIGHT), float(rng.uniform(-6, 6))))
        for k in range(slices):
            cv2.fillPoly(labels[k], [np.round(box).astype(np.int32)], 1 + level.order)
    signal[labels > 0] = 110
    pictures = tuple(
        np.asarray(
            signal * (1 + 0.06 * smooth_noise(signal.shape, (1, 4, 4), rng))
            + 5 * rng.standard_normal(signal.shape),
            dtype=np.float32,
        ).clip(1)
        for _ in range(2)
    )
    return LesionCanvas((Sequence.T1, Sequence.T2), pictures, labels)


def insert_finding(
    canvas: LesionCanvas, level: Level, finding: Finding, rng: np.random.Generator
) -> Insertion:
    """One finding in one level."""
    return insert_findings(canvas, [(level, finding)], rng)


def pass_through(canvas: LesionCanvas, rng: np.random.Generator) -> LesionCanvas:
    """The canvas after the null warp alone."""
    return insert_findings(canvas, (), rng).canvas
