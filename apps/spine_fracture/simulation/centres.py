"""Six invented centres: scanners and protocols that differ as those of real hospitals do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from spine_fracture.errors import NotFoundError


class Coverage(StrEnum):
    """What part of the spine a study shows."""

    LUMBAR = "lumbar"
    THORACOLUMBAR = "thoracolumbar"
    WHOLE = "whole"


@dataclass(frozen=True)
class Centre:
    """``thickness`` and ``gap`` mm; ``pixel`` mm by which lumbar pictures are stored and ``acquired``
    mm at which they were measured; ``noise`` as a share of fat's signal; ``coil`` mm over which the
    surface coil fades; ``band`` whether a saturation band darkens the belly; times scale TR and TE.
    """

    name: str
    field_strength: float
    thickness: float
    gap: float
    pixel: float
    acquired: float
    noise: float
    coil: float
    band: bool
    repetition: float
    echo: float
    field_of_view: float


CENTRES: tuple[Centre, ...] = (
    Centre("A", 1.5, 4.0, 0.4, 0.73, 0.95, 0.016, 95, True, 1.0, 1.0, 280),
    Centre("B", 3.0, 4.0, 0.4, 0.625, 0.8, 0.011, 75, True, 1.1, 0.95, 300),
    Centre("C", 1.5, 4.5, 0.5, 0.78, 1.1, 0.024, 120, False, 0.85, 1.1, 300),
    Centre("D", 1.5, 3.5, 0.7, 0.68, 0.9, 0.020, 85, True, 1.15, 0.9, 260),
    Centre("E", 3.0, 3.3, 0.3, 0.59, 0.75, 0.014, 65, False, 1.0, 1.0, 265),
    Centre("F", 1.0, 5.0, 1.0, 0.88, 1.25, 0.032, 140, False, 0.9, 1.15, 320),
)


def centre_named(name: str) -> Centre:
    for centre in CENTRES:
        if centre.name == name:
            return centre
    raise NotFoundError(f"No centre {name}: the simulated ones are {', '.join(c.name for c in CENTRES)}.")
