"""Plain radiographs of the spine as the models see them: free of any file format."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from spine_fracture.errors import InputError

#: The task under which the registry keeps the models that read them.
TASK = "radiographs"
Picture = npt.NDArray[np.uint8]


class View(StrEnum):
    """How the beam went through the patient."""

    AP = "AP"
    LATERAL = "lateral"


@dataclass(frozen=True, eq=False)
class Radiograph:
    """One radiograph, head up. ``pixels`` (rows, columns) uint8, windowed, dense bone bright.

    ``aspect`` is the height of a pixel over its width: 1 where pixels are square or nothing is known.
    """

    view: View
    pixels: Picture
    aspect: float = 1.0

    def __post_init__(self) -> None:
        if self.pixels.ndim != 2 or self.pixels.dtype != np.uint8 or not self.pixels.size:
            raise InputError(
                f"A radiograph needs uint8 pixels (rows, columns), got {self.pixels.dtype} "
                f"{self.pixels.shape}."
            )
        if not 0.2 <= self.aspect <= 5:
            raise InputError(
                f"Pixels {self.aspect:g} times as high as wide are no radiograph's: check the pixel spacing."
            )
