"""What every classifier of levels can do, whatever family it is of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from spine_fracture.bundle import Manifest
from spine_fracture.classification.classifier import LevelOpinion
from spine_fracture.classification.crops import BoxOnSlice
from spine_fracture.imaging import Pixels
from spine_fracture.imaging import Sequence as MrSequence


class LevelModel(Protocol):
    """Answers for all levels of one study at once. Safe to call from several threads."""

    @property
    def manifest(self) -> Manifest: ...
    @property
    def version(self) -> str: ...
    @property
    def sequences(self) -> tuple[MrSequence, ...]:
        """Those of CHANNELS that it looks at; a study must have one of them at least."""
        ...

    def classify(self, pixels: Pixels, levels: Sequence[Sequence[BoxOnSlice]]) -> tuple[LevelOpinion, ...]:
        """One opinion a level, probabilities over MODEL_CLASSES.

        ``pixels`` (slices, channels, rows, columns) in [0, 1], channels T1, T2 and, where there are
        more, fat-saturated T2 and contrast-enhanced T1; a missing one is all zeros. A model that was
        taught fewer classes gives the others 0.
        """
        ...
