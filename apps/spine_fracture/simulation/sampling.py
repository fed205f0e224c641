"""Samples a phantom the way a scanner does: slices with thickness and gap, coil, motion and noise."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from spine_fracture.anatomy import Level
from spine_fracture.geometry import VolumeFrame
from spine_fracture.imaging import Acquisition, Pixels, Plane, Sequence, SpacingOrigin, Volume
from spine_fracture.simulation.centres import Centre, Coverage
from spine_fracture.simulation.phantom import Phantom, weighting_at
from spine_fracture.simulation.plane import Labels
from spine_fracture.simulation.textures import smooth_noise
from spine_fracture.simulation.tissues import RELAXATION, Tissue, Weighting, spin_echo

SUBSLICES = 4
STORED_FAT = 1100.0  # value of fat in the stored picture


@dataclass(frozen=True)
class Plan:
    """Where a study's slices lie in the phantom's millimetres: ``lateral`` centres of the slices,
    top row and left column, ``pixel`` mm, ``rows`` and ``columns`` of the picture.
    """

    lateral: tuple[float, ...]
    top: float
    left: float
    pixel: float
    rows: int
    columns: int


@dataclass(frozen=True, eq=False)
class Series:
    """One sampled series with its truth on the same grid: ``level_labels`` and ``altered_labels`` uint8
    (slices, rows, columns), 1 + Level.order in the body, and where a finding changed the signal.
    """

    volume: Volume
    level_labels: Labels
    altered_labels: Labels


def plan_study(phantom: Phantom, coverage: Coverage, slices: int, rng: np.random.Generator) -> Plan:
    """Slices through the middle of the spine, on a field of view that shows ``coverage``."""
    centre = phantom.centre
    step = centre.thickness + centre.gap
    middle = float(np.mean(phantom.skeleton.lateral)) + rng.normal(0, 1.5)
    lateral = tuple(float(middle + (k - (slices - 1) / 2) * step) for k in range(slices))
    shape = phantom.canvas.labels.shape
    top, bottom = _extent(phantom, coverage, centre, rng)
    pixel = centre.pixel * {Coverage.LUMBAR: 1.0, Coverage.THORACOLUMBAR: 1.2, Coverage.WHOLE: 1.35}[coverage]
    rows = int((bottom - top) / pixel)
    wide = (
        (bottom - top)
        if coverage is Coverage.LUMBAR
        else min(bottom - top, shape[2] * rng.uniform(0.95, 1.3))
    )
    columns = int(wide / pixel)
    left = _middle_column(phantom, top, bottom) - wide * rng.uniform(0.45, 0.6)
    return Plan(lateral, float(top), float(left), pixel, rows, columns)


def sample_series(
    phantom: Phantom,
    sequence: Sequence,
    plan: Plan,
    rng: np.random.Generator,
    *,
    shift: tuple[float, float] = (0.0, 0.0),
) -> Series:
    """One series. ``shift`` (rows, columns) in mm: how far the patient has moved since the planning."""
    centre = phantom.centre
    weighting = weighting_at(centre, sequence)
    grid = _grid(plan, shift)
    clean = np.stack(
        [_slice(phantom.canvas.picture(sequence), x, centre.thickness, grid) for x in plan.lateral]
    )
    clean = clean * _coil(phantom, plan, rng)
    stored = _finish(clean, centre, weighting, plan, rng)
    frame = _frame(phantom, plan)
    uid = _uid(phantom, sequence.value)
    volume = Volume(
        series_uid=uid,
        pixels=stored,
        frame=frame,
        sequence=sequence,
        plane=Plane.SAGITTAL,
        spacing_origin=SpacingOrigin.MEASURED,
        slice_uids=tuple(f"{uid}.{k + 1}" for k in range(len(stored))),
        frame_of_reference_uid=_uid(phantom, "frame"),
        acquisition=_acquisition(sequence, weighting, centre),
    )
    return Series(volume, _labels(phantom.canvas.labels, plan, grid), _labels(phantom.altered, plan, grid))


def _extent(
    phantom: Phantom, coverage: Coverage, centre: Centre, rng: np.random.Generator
) -> tuple[float, float]:
    """Top and bottom row of the field of view, mm."""
    rows = phantom.canvas.labels.shape[1]
    if coverage is Coverage.WHOLE:
        return 0.0, float(rows)
    at = phantom.skeleton
    lowest = at.levels[-1]
    anchor = at.segment(Level.L3 if Level.L3 in at.levels else lowest)
    point = at.points[min(len(at.points) - 1, int(anchor.s * 2))][0]
    height = centre.field_of_view * (1.0 if coverage is Coverage.LUMBAR else 1.45) * rng.uniform(0.95, 1.05)
    share = 0.52 if coverage is Coverage.LUMBAR else 0.66
    bottom = min(point + height * (1 - share) + rng.normal(0, 8), rows)
    return float(max(0.0, bottom - height)), float(bottom)


def _middle_column(phantom: Phantom, top: float, bottom: float) -> float:
    points = phantom.skeleton.points
    seen = (points[:, 0] >= top) & (points[:, 0] <= bottom)
    return float(points[seen, 1].mean())


Grid = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


def _grid(plan: Plan, shift: tuple[float, float]) -> Grid:
    """Array indices (columns, rows) in the phantom of each pixel's centre, for cv2.remap."""
    rows = plan.top + (np.arange(plan.rows) + 0.5) * plan.pixel - 0.5 + shift[0]
    columns = plan.left + (np.arange(plan.columns) + 0.5) * plan.pixel - 0.5 + shift[1]
    grid = np.meshgrid(columns.astype(np.float32), rows.astype(np.float32))
    return grid[0], grid[1]


def _slice(volume: Pixels, lateral: float, thickness: float, grid: Grid) -> Pixels:
    """The mean over a slice's thickness (partial volume), resampled in the plane."""
    last = volume.shape[0] - 1
    offsets = (np.arange(SUBSLICES) + 0.5) / SUBSLICES - 0.5
    at = np.clip(np.round(lateral + offsets * thickness + volume.shape[0] / 2 - 0.5).astype(int), 0, last)
    mean = volume[at].mean(axis=0)
    out = cv2.remap(mean, *grid, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(np.maximum(out, 0), dtype=np.float32)


def _labels(volume: Labels, plan: Plan, grid: Grid) -> Labels:
    last = volume.shape[0] - 1
    found = [
        cv2.remap(
            volume[int(np.clip(round(x + volume.shape[0] / 2 - 0.5), 0, last))], *grid, cv2.INTER_NEAREST
        )
        for x in plan.lateral
    ]
    return np.stack(found)


def _coil(phantom: Phantom, plan: Plan, rng: np.random.Generator) -> Pixels:
    """Sensitivity (rows, columns) of the spine coil behind the back, with a slow random part, and the
    saturation band in front of the spine.
    """
    points = phantom.skeleton.points
    rows_mm = plan.top + (np.arange(plan.rows) + 0.5) * plan.pixel
    spine = np.interp(rows_mm, points[:, 0], points[:, 1])[:, None]
    columns_mm = plan.left + (np.arange(plan.columns) + 0.5) * plan.pixel
    behind = columns_mm[None] - spine
    gain = np.exp(np.clip(behind, -200, 60) / phantom.centre.coil)
    slow = smooth_noise((1, plan.rows, plan.columns), (1, plan.rows / 2, plan.columns / 2), rng)[0]
    gain = gain * (1 + 0.08 * slow)
    if phantom.centre.band:
        edge = -30 + 10 * smooth_noise((1, plan.rows, 1), (1, plan.rows / 2, 1), rng)[0]
        gain = gain * (0.06 + 0.94 / (1 + np.exp(-(behind - edge) / 4)))
    return np.asarray(gain, dtype=np.float32)


def _finish(
    clean: Pixels, centre: Centre, weighting: Weighting, plan: Plan, rng: np.random.Generator
) -> Pixels:
    """Limited resolution, a little motion, Rician noise, and the scanner's scaling."""
    fat = spin_echo(
        RELAXATION[Tissue.FAT], Weighting(weighting.repetition, weighting.echo), centre.field_strength
    )
    blur = 0.42 * centre.acquired / plan.pixel * rng.uniform(0.85, 1.15)
    level = centre.noise * fat * rng.uniform(0.7, 1.4)
    moves = rng.random() < 0.2
    ghost = (int(plan.rows * rng.uniform(0.05, 0.12)), 0.04) if moves else (0, 0.0)
    out = np.empty_like(clean)
    for k, picture in enumerate(clean):
        soft = cv2.GaussianBlur(picture, (0, 0), blur)
        if ghost[0]:
            soft = (1 - ghost[1]) * soft + ghost[1] * np.roll(soft, ghost[0], axis=0)
        noise = rng.standard_normal((2, *picture.shape), dtype=np.float32)
        noise = np.stack([cv2.GaussianBlur(n, (0, 0), 0.55) for n in noise]) * np.float32(level * 2.0)
        out[k] = np.hypot(soft + noise[0], noise[1])
    return np.asarray(np.round(out * (STORED_FAT / fat)).clip(0, 4095), dtype=np.float32)


def _frame(phantom: Phantom, plan: Plan) -> VolumeFrame:
    """LPS frame: columns run backwards (+y), rows down (-z), slices to the patient's right (-x)."""
    _, rows, columns = phantom.canvas.labels.shape
    step = plan.lateral[1] - plan.lateral[0] if len(plan.lateral) > 1 else phantom.centre.thickness
    first = (
        -plan.lateral[0],
        plan.left + plan.pixel / 2 - columns / 2,
        rows / 2 - plan.top - plan.pixel / 2,
    )
    return VolumeFrame.from_dicom(
        first,
        (0, 1, 0, 0, 0, -1),
        (plan.pixel, plan.pixel),
        (-step, 0, 0),
        (len(plan.lateral), plan.rows, plan.columns),
    )


def _acquisition(sequence: Sequence, weighting: Weighting, centre: Centre) -> Acquisition:
    inversion = weighting.inversion is not None
    names = {
        Sequence.T1: "t1_tse_sag",
        Sequence.T2: "t2_tse_sag",
        Sequence.T2_FAT_SAT: "t2_tirm_sag",
        Sequence.T1_CONTRAST: "t1_tse_sag_km",
    }
    return Acquisition(
        repetition_time=weighting.repetition,
        echo_time=weighting.echo,
        inversion_time=weighting.inversion,
        flip_angle=150.0,
        field_strength=centre.field_strength,
        contrast_agent="gadolinium" if weighting.contrast else None,
        scanning_sequence=("SE", "IR") if inversion else ("SE",),
        sequence_variant=("SK", "SP"),
        sequence_name=names[sequence],
        description=names[sequence],
        body_part="SPINE",
    )


def _uid(phantom: Phantom, what: str) -> str:
    """A UID under 2.25 (a number from a hash), the same at every run."""
    digest = hashlib.sha256(f"{phantom.patient_key}/{what}".encode()).digest()
    return f"2.25.{int.from_bytes(digest[:15], 'big')}"
