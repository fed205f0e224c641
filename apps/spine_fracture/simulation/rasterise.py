"""Fills a 1 mm volume with tissues round a skeleton."""

from __future__ import annotations

import numpy as np

from spine_fracture.simulation.bones import paint_body, paint_disc, paint_posterior_elements, paint_ribs
from spine_fracture.simulation.plane import SLAB, Labels, make_plane
from spine_fracture.simulation.skeleton import Skeleton
from spine_fracture.simulation.soft_tissue import paint_canal, paint_surroundings


def rasterise(skeleton: Skeleton, rng: np.random.Generator) -> tuple[Labels, Labels]:
    """Tissues and body labels (1 + Level.order), both (slices, rows, columns) uint8; see plane.py.

    Later structures cover earlier ones: bodies go last, so a body's label is all marrow, cortex and
    basivertebral vein.
    """
    plane = make_plane(skeleton, rng)
    tissue = np.empty((SLAB, *skeleton.shape), dtype=np.uint8)
    labels = np.zeros_like(tissue)
    paint_surroundings(skeleton, plane, tissue, rng)
    flat_tissue, flat_labels = tissue.reshape(SLAB, -1), labels.reshape(SLAB, -1)
    for segment in skeleton.segments:
        paint_ribs(segment, plane, flat_tissue)
        paint_posterior_elements(segment, plane, flat_tissue)
    paint_canal(skeleton, plane, flat_tissue, rng)
    for segment in skeleton.segments:
        paint_disc(segment, plane, flat_tissue)
    for segment in skeleton.segments:
        paint_body(segment, plane, flat_tissue, flat_labels)
    return tissue, labels
