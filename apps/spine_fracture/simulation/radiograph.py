"""Simulated AP and lateral radiographs of a phantom patient, with what is visible on them.

Beams are parallel: magnification and the tilt of endplates towards the edge of the field are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from spine_fracture.anatomy import Diagnosis, Level, Primary
from spine_fracture.errors import InputError
from spine_fracture.geometry import PixelBox
from spine_fracture.radiography import Picture, View
from spine_fracture.simulation.findings import Finding
from spine_fracture.simulation.phantom import Phantom, make_phantom
from spine_fracture.simulation.radiograph_bone import PER_MINERAL, bone_of
from spine_fracture.simulation.radiograph_detector import expose, technique_of
from spine_fracture.simulation.radiograph_recipe import RadiographRecipe
from spine_fracture.simulation.radiograph_trunk import Boxes, across_the_trunk, beside_the_slab, draw_trunk
from spine_fracture.simulation.textures import smooth_noise

FloatField = npt.NDArray[np.float32]
_HALF = 120  # mm of trunk to each side of the spine on the AP grid
_SHOWN = 0.6  # share of a body's box that must lie in the picture for the level to count
#: Mineral along a ray changes visibly from 30 to 50 % on (Ardran 1951); over a square centimetre.
VISIBLE_CHANGE, VISIBLE_MM2 = 0.4, 100.0
#: Height loss on which readers agree: grade 2 of Genant et al. 1993.
VISIBLE_LOSS = 0.25


@dataclass(frozen=True)
class SeenLevel:
    """A body in one view: its ``box`` in pixels, and whether its finding is visible there (``sign``)."""

    level: Level
    diagnosis: Diagnosis
    box: PixelBox
    sign: bool


@dataclass(frozen=True, eq=False)
class SimulatedView:
    """``pixels`` (rows, columns) uint8, bone bright; ``levels`` head to foot, if in the picture."""

    view: View
    pixels: Picture
    levels: tuple[SeenLevel, ...]


@dataclass(frozen=True, eq=False)
class SimulatedRadiographs:
    """Both views of a patient whose fracture is ``diagnosis``."""

    patient_key: str
    centre: str
    age: float
    diagnosis: Diagnosis
    primary: Primary | None
    views: tuple[SimulatedView, SimulatedView]


def simulate_radiographs(seed: int, recipe: RadiographRecipe) -> SimulatedRadiographs:
    """The radiographs of this seed's patient: same seed and recipe, same pixels."""
    phantom = make_phantom(seed, recipe.phantoms)
    return radiographs_of(phantom, recipe, np.random.default_rng([seed, 60]))


def radiographs_of(
    phantom: Phantom, recipe: RadiographRecipe, rng: np.random.Generator
) -> SimulatedRadiographs:
    """AP as one faces the patient (right on the left of the picture), lateral with the front on the left."""
    bone = bone_of(phantom, rng)
    trunk = draw_trunk(rng)
    views = []
    for view in View:
        soft, mineral, spared = (_projected(v, view) for v in (bone.soft, bone.mineral, bone.spared))
        boxes = _boxes(phantom, view)
        trabeculae = 1 + 0.05 * smooth_noise((1, *mineral.shape), (1, 2.5, 1.2), rng)[0]
        slab = soft + np.float32(PER_MINERAL) * mineral * trabeculae
        if view is View.AP:
            side = _HALF - slab.shape[1] // 2
            placed = {level: box.shifted(side, 0) for level, box in boxes.items()}
            depth = beside_the_slab(slab, _HALF, placed, trunk, rng)
        else:
            placed = boxes
            depth = across_the_trunk(slab, boxes, trunk, rng)
        pixel_mm, matrix = _placing(placed, recipe, rng)
        size = (recipe.columns, recipe.rows)
        taken = cv2.warpAffine(depth, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        field = np.asarray(taken, dtype=np.float32)
        pixels = expose(field, pixel_mm, technique_of(phantom.centre.name), rng)
        signs = _signs(phantom, view, mineral, spared)
        views.append(SimulatedView(view, pixels, _levels(phantom, placed, matrix, recipe, signs)))
    return SimulatedRadiographs(
        phantom.patient_key,
        phantom.centre.name,
        phantom.patient.age,
        _diagnosis(phantom),
        phantom.patient.primary_tumour,
        (views[0], views[1]),
    )


def _diagnosis(phantom: Phantom) -> Diagnosis:
    present = {truth.diagnosis for truth in phantom.truth}
    for diagnosis in (Diagnosis.MALIGNANT, Diagnosis.BENIGN_FRACTURE):
        if diagnosis in present:
            return diagnosis
    raise InputError(
        f"Phantom {phantom.seed} has no fracture and no tumour: a recipe of radiographs needs the shares "
        "of osteoporosis and malignant disease to add up to 1."
    )


def _projected(volume: npt.NDArray[np.float32], view: View) -> FloatField:
    """The sum along the beam: AP (rows, slices from the patient's right), lateral (rows, columns)."""
    if view is View.LATERAL:
        return np.asarray(volume.sum(axis=0), dtype=np.float32)
    return np.ascontiguousarray(volume.sum(axis=2).T[:, ::-1], dtype=np.float32)


def _shadow(where: npt.NDArray[np.bool_], view: View) -> npt.NDArray[np.bool_]:
    return np.asarray(where.any(axis=0) if view is View.LATERAL else where.any(axis=2).T[:, ::-1])


def _boxes(phantom: Phantom, view: View) -> dict[Level, PixelBox]:
    """Where the bodies lie on the projection's 1 mm grid, findings included."""
    found = {}
    for level in phantom.levels:
        rows, columns = np.nonzero(_shadow(phantom.canvas.labels == 1 + level.order, view))
        if rows.size:
            found[level] = PixelBox(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    return found


def _placing(boxes: Boxes, recipe: RadiographRecipe, rng: np.random.Generator) -> tuple[float, FloatField]:
    """Size of a pixel in mm, and the (2, 3) map from the 1 mm grid to pixels: a field from the first body to
    below the last, slightly turned and off centre.
    """
    x = float(np.mean([box.centre[0] for box in boxes.values()])) + rng.normal(0, 5)
    top = min(box.y0 for box in boxes.values()) - rng.uniform(2, 10)
    low = max(box.y1 for box in boxes.values()) + rng.uniform(4, 20)
    pixel_mm = (low - top) / recipe.rows
    turned = cv2.getRotationMatrix2D((x, (top + low) / 2), float(rng.normal(0, 2)), 1 / pixel_mm)
    matrix = np.asarray(turned, dtype=np.float32)
    matrix[:, 2] += (recipe.columns / 2 - x, recipe.rows / 2 - (top + low) / 2)
    return pixel_mm, matrix


def _levels(
    phantom: Phantom,
    boxes: Boxes,
    matrix: FloatField,
    recipe: RadiographRecipe,
    signs: frozenset[Level],
) -> tuple[SeenLevel, ...]:
    diagnoses = {truth.level: truth.diagnosis for truth in phantom.truth}
    seen = []
    for level, box in boxes.items():
        corners = box.corners() @ matrix[:, :2].T + matrix[:, 2]
        whole = PixelBox.around(corners)
        try:
            part = whole.inside(recipe.rows, recipe.columns)
        except InputError:
            continue
        if part.area >= _SHOWN * whole.area:
            seen.append(SeenLevel(level, diagnoses[level], part, level in signs))
    return tuple(seen)


def _signs(phantom: Phantom, view: View, mineral: FloatField, spared: FloatField) -> frozenset[Level]:
    """Levels whose finding can be seen: by the height that is lost, or by the mineral along the rays."""
    change = np.abs(mineral - spared) / np.maximum(spared, 1.0)
    return frozenset(
        level
        for level, finding in phantom.patient.findings
        if finding.diagnosis is not Diagnosis.NORMAL
        and (_collapse_shows(finding) or _change_shows(phantom, level, view, change))
    )


def _collapse_shows(finding: Finding) -> bool:
    return finding.collapsed and finding.severity >= VISIBLE_LOSS


def _change_shows(phantom: Phantom, level: Level, view: View, change: FloatField) -> bool:
    where = _shadow(phantom.altered == 1 + level.order, view)
    return bool((change[where] >= VISIBLE_CHANGE).sum() >= VISIBLE_MM2)
