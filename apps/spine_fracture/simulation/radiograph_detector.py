"""From optical depth to a picture: exposure, scatter, blur, noise, and the processing of a centre."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
import numpy.typing as npt

from spine_fracture.errors import NotFoundError
from spine_fracture.radiography import Picture

FloatField = npt.NDArray[np.float32]
_SCATTER_MM = 28.0
_SLOW_MM = 25.0
_PATIENT = 1.0  # optical depth from which a beam has gone through the patient


@dataclass(frozen=True)
class Technique:
    """How a centre takes and shows radiographs.

    ``photons`` a mm2 in the middle of the field; ``scatter`` over primary radiation behind the
    grid; ``blur`` mm; ``latitude`` the share that is kept of what varies more slowly than 25 mm, and
    ``detail`` by what factor structures smaller than ``grain`` mm are lifted;
    ``gamma`` of the look-up table; ``window`` lower and upper percentile; ``marker`` whether a lead letter
    is in the field.
    """

    photons: float
    scatter: float
    blur: float
    latitude: float
    detail: float
    grain: float
    gamma: float
    window: tuple[float, float]
    marker: bool


#: The phantom's centres, by name.
TECHNIQUES = MappingProxyType(
    {
        "A": Technique(9000, 0.35, 0.7, 0.45, 1.5, 12.0, 1.0, (3, 99.5), True),
        "B": Technique(14000, 0.25, 0.55, 0.3, 2.0, 10.0, 0.9, (2, 99.7), False),
        "C": Technique(6000, 0.5, 0.9, 0.5, 1.2, 10.0, 1.1, (4, 99.0), True),
        "D": Technique(5000, 0.5, 1.0, 0.45, 1.3, 14.0, 1.2, (2, 99.8), True),
        "E": Technique(12000, 0.3, 0.6, 0.25, 2.5, 9.0, 1.0, (3, 99.0), False),
        "F": Technique(4000, 0.7, 1.2, 0.55, 1.3, 16.0, 0.8, (5, 99.0), True),
    }
)


def technique_of(centre: str) -> Technique:
    if centre not in TECHNIQUES:
        raise NotFoundError(f"Centre {centre} takes no radiographs: use one of {', '.join(TECHNIQUES)}.")
    return TECHNIQUES[centre]


def expose(depth: FloatField, pixel_mm: float, technique: Technique, rng: np.random.Generator) -> Picture:
    """The picture (rows, columns), bone bright, of the optical depth that each pixel's beam goes through.

    Primary radiation by Beer and Lambert; scatter in proportion to what comes through round about; blur;
    Gaussian noise of the variance that counting photons has, the exposure being set by the middle of the
    field; the logarithm; slow variations evened out and detail lifted; the window; the look-up table.
    """
    around = cv2.GaussianBlur(depth, (0, 0), _SCATTER_MM / pixel_mm, borderType=cv2.BORDER_REPLICATE)
    received = np.exp(-depth) + np.float32(technique.scatter * rng.uniform(0.8, 1.2)) * np.exp(-around)
    seen = cv2.GaussianBlur(received, (0, 0), max(technique.blur / pixel_mm, 0.3))
    photons = technique.photons * pixel_mm**2 * rng.uniform(0.6, 1.5) / float(np.median(seen))
    noise = rng.standard_normal(depth.shape, dtype=np.float32) * np.sqrt(seen / photons)
    signal = -np.log(np.maximum(seen + noise, 1e-7)).astype(np.float32)
    coarse = cv2.GaussianBlur(signal, (0, 0), _SLOW_MM / pixel_mm)
    fine = signal - cv2.GaussianBlur(signal, (0, 0), technique.grain / pixel_mm)
    lifted = np.float32((technique.detail - 1) * rng.uniform(0.8, 1.2))
    shown = signal - np.float32(1 - technique.latitude) * coarse + lifted * fine
    lower, upper = np.percentile(shown[depth > _PATIENT], technique.window)
    grey = np.clip((shown - lower) / max(upper - lower, 1e-3), 0, 1) ** (
        technique.gamma * rng.uniform(0.9, 1.1)
    )
    picture = np.rint(255 * grey).astype(np.uint8)
    if technique.marker:
        _mark(picture, rng)
    return _collimate(picture, rng)


def _mark(picture: Picture, rng: np.random.Generator) -> None:
    """The lead letter of a side, in an upper corner."""
    rows, columns = picture.shape
    scale = rows / 640
    left = rng.random() < 0.5
    at = (int(columns * (0.06 if left else 0.86)), int(rows * rng.uniform(0.05, 0.1)))
    letter = "R" if left else "L"
    cv2.putText(picture, letter, at, cv2.FONT_HERSHEY_SIMPLEX, scale, (255,), max(1, round(2 * scale)))


def _collimate(picture: Picture, rng: np.random.Generator) -> Picture:
    """Dark outside the field that the diaphragm leaves, in a third of the pictures."""
    if rng.random() > 1 / 3:
        return picture
    rows, columns = picture.shape
    top, low = (int(rows * rng.uniform(0, 0.03)) for _ in range(2))
    left, right = (int(columns * rng.uniform(0, 0.06)) for _ in range(2))
    shut = np.zeros_like(picture)
    shut[top : rows - low, left : columns - right] = picture[top : rows - low, left : columns - right]
    return shut
