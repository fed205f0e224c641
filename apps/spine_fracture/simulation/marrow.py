"""Signal change of marrow and of the tissue beside it, as ratios to the marrow of the same picture.

Pictures are modulated, not repainted, so the texture of a real picture survives. Ratios are typical
of 1.5 and 3 T spin echo pictures with fatty adult marrow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from spine_fracture.imaging import Sequence

FloatField = npt.NDArray[np.float32]
Range = tuple[float, float]


class Change(Enum):
    """Kinds of tissue a finding brings: ratio to normal marrow on T1, T2, STIR, contrast T1."""

    OEDEMA = ((0.5, 0.75), (0.95, 1.5), (2.2, 4.0), (0.8, 1.2))
    LINE = ((0.3, 0.5), (0.25, 0.5), (0.4, 0.9), (0.4, 0.6))
    PATCH = ((0.35, 0.6), (0.35, 0.65), (0.5, 1.2), (0.5, 0.8))
    FLUID = ((0.3, 0.5), (2.2, 3.2), (4.5, 7.0), (0.3, 0.5))
    GAS = ((0.08, 0.2), (0.08, 0.2), (0.1, 0.2), (0.08, 0.2))
    LYTIC = ((0.4, 0.62), (0.85, 1.7), (2.2, 4.5), (0.8, 1.5))
    EXPANSILE = ((0.42, 0.62), (1.0, 1.8), (2.8, 4.8), (1.1, 1.7))
    SCLEROTIC = ((0.22, 0.45), (0.25, 0.6), (0.6, 1.6), (0.35, 0.7))
    MIXED = ((0.35, 0.6), (0.5, 1.3), (1.2, 3.2), (0.6, 1.2))
    MICRONODULAR = ((0.5, 0.7), (0.9, 1.4), (1.8, 3.2), (0.8, 1.2))
    HEMANGIOMA = ((1.3, 1.9), (1.35, 2.1), (1.1, 2.4), (1.5, 2.2))
    INFECTION = ((0.4, 0.62), (1.2, 1.9), (2.8, 5.0), (1.1, 1.8))
    NODE = ((0.45, 0.65), (0.4, 0.9), (0.6, 1.6), (0.5, 0.8))
    FAT = ((1.2, 1.6), (1.15, 1.5), (0.5, 0.8), (1.1, 1.4))
    MODIC_OEDEMA = ((0.6, 0.85), (1.05, 1.35), (1.6, 2.8), (1.0, 1.4))

    def draw(self, rng: np.random.Generator) -> dict[Sequence, float]:
        """One ratio a sequence; a sequence nobody knows is left as it is."""
        order = (Sequence.T1, Sequence.T2, Sequence.T2_FAT_SAT, Sequence.T1_CONTRAST)
        drawn = {s: float(rng.uniform(*span)) for s, span in zip(order, self.value, strict=True)}
        return drawn | {Sequence.UNKNOWN: 1.0}


@dataclass(frozen=True, eq=False)
class Layer:
    """One change: where (``share`` in [0, 1]), by what ratio, and whether tissue is replaced (a mass
    outside the body) or modulated (marrow).
    """

    share: FloatField
    ratio: Mapping[Sequence, float]
    replaces: bool = False
    grain: FloatField | None = None

    def apply(self, picture: FloatField, sequence: Sequence, marrow: float) -> FloatField:
        ratio = self.ratio[sequence]
        if not self.replaces:
            factor = 1 + self.share * np.float32(ratio - 1)
            if self.grain is not None:
                factor = factor * (1 + self.share * self.grain)
            return np.asarray(picture * np.maximum(factor, 0.02), dtype=np.float32)
        target = np.float32(marrow * ratio) * (1 + (0 if self.grain is None else self.grain))
        return np.asarray(picture * (1 - self.share) + self.share * target, dtype=np.float32)
