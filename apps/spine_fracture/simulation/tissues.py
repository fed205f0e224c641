"""Tissues of the phantom and the signal each gives in a spin-echo sequence.

Relaxation times are typical values at 1.5 T (de Bazelaire et al. 2004, Stanisz et al. 2005); T1
lengthens with the field as B0 to the power 1/3 (Bottomley et al. 1984). T2 of fat and CSF are the
apparent ones of a turbo spin echo, where fat stays bright.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from spine_fracture.imaging import Sequence


class Tissue(IntEnum):
    """Values of the phantom's tissue volume."""

    AIR = 0
    FAT = 1
    MUSCLE = 2
    SOFT = 3
    FLOW = 4
    MARROW = 5
    CORTEX = 6
    NUCLEUS = 7
    ANNULUS = 8
    CSF = 9
    CORD = 10
    EPIDURAL_FAT = 11
    LIGAMENT = 12
    POSTERIOR_MARROW = 13
    VEIN = 14
    NERVE = 15
    SKIN = 16
    BOWEL = 17
    NUCLEUS_WORN = 18


@dataclass(frozen=True)
class Relaxation:
    """Proton density in [0, 1]; T1 and T2 in ms at 1.5 T; ``enhancement`` is the fall of 1/T1 after
    gadolinium, in 1/s.
    """

    density: float
    t1: float
    t2: float
    enhancement: float = 0.0


RELAXATION: dict[Tissue, Relaxation] = {
    Tissue.AIR: Relaxation(0.0, 1000, 50),
    Tissue.FAT: Relaxation(0.95, 290, 130),
    Tissue.MUSCLE: Relaxation(0.75, 980, 40, 0.15),
    Tissue.SOFT: Relaxation(0.75, 800, 60, 0.3),
    Tissue.FLOW: Relaxation(0.05, 1300, 60),
    Tissue.MARROW: Relaxation(0.62, 560, 68, 0.1),
    Tissue.CORTEX: Relaxation(0.07, 600, 20),
    Tissue.NUCLEUS: Relaxation(0.85, 1150, 105),
    Tissue.ANNULUS: Relaxation(0.5, 950, 38),
    Tissue.CSF: Relaxation(1.0, 3900, 900),
    Tissue.CORD: Relaxation(0.8, 900, 78),
    Tissue.EPIDURAL_FAT: Relaxation(0.92, 300, 120),
    Tissue.LIGAMENT: Relaxation(0.1, 900, 20),
    Tissue.POSTERIOR_MARROW: Relaxation(0.66, 480, 72, 0.1),
    Tissue.VEIN: Relaxation(0.7, 900, 120, 1.5),
    Tissue.NERVE: Relaxation(0.72, 950, 85),
    Tissue.SKIN: Relaxation(0.5, 800, 35, 0.2),
    Tissue.BOWEL: Relaxation(0.7, 1100, 70, 0.4),
    Tissue.NUCLEUS_WORN: Relaxation(0.7, 1000, 62),
}


@dataclass(frozen=True)
class Weighting:
    """Times of a spin-echo sequence in ms; ``inversion`` makes it STIR; ``contrast`` after gadolinium."""

    repetition: float
    echo: float
    inversion: float | None = None
    contrast: bool = False


#: Usual times of a spine protocol; a centre scales them.
WEIGHTINGS: dict[Sequence, Weighting] = {
    Sequence.T1: Weighting(550, 11),
    Sequence.T2: Weighting(4300, 105),
    Sequence.T2_FAT_SAT: Weighting(4500, 60, inversion=165),
    Sequence.T1_CONTRAST: Weighting(580, 11, contrast=True),
}


def spin_echo(tissue: Relaxation, weighting: Weighting, field_strength: float) -> float:
    """Signal of ``tissue`` in [0, 1], magnitude reconstructed."""
    t1 = tissue.t1 * (field_strength / 1.5) ** (1 / 3)
    if weighting.contrast:
        t1 = 1000 / (1000 / t1 + tissue.enhancement)
    recovery = 1 - np.exp(-weighting.repetition / t1)
    if weighting.inversion is not None:
        recovery = 1 - 2 * np.exp(-weighting.inversion / t1) + np.exp(-weighting.repetition / t1)
    return float(tissue.density * abs(recovery) * np.exp(-weighting.echo / tissue.t2))


def signal_table(
    relaxation: dict[Tissue, Relaxation], weighting: Weighting, field_strength: float
) -> npt.NDArray[np.float32]:
    """Signal by tissue value, shape (number of tissues,)."""
    return np.array([spin_echo(relaxation[t], weighting, field_strength) for t in Tissue], dtype=np.float32)
