"""Which samples make a batch: every source with the same prevalence of classes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spine_fracture.anatomy import MODEL_CLASSES
from spine_fracture.errors import InsufficientEvidenceError
from spine_fracture.training.classifier_cache import SOURCES, CropCache
from spine_fracture.training.classifier_config import Balance

Index = npt.NDArray[np.intp]


class BalancedSampler:
    """Draws a source by its share, a class by its prevalence, then a sample of that source and class.

    Simulated sources must hold every class with a prevalence, or the picture's source would tell
    something of its class; reads are drawn from the classes that there are. Without
    ``every_class`` the same goes for all sources: for samples that only choose.
    """

    def __init__(self, cache: CropCache, index: Index, balance: Balance, *, every_class: bool = True) -> None:
        sources, labels = cache.column("source")[index], cache.column("label")[index]
        self._buckets: list[Index] = []
        weights: list[float] = []
        present = {source for source in set(sources.tolist()) if balance.shares[source] > 0}
        total = sum(balance.shares[source] for source in present)
        for source in sorted(present):
            found = [index[(sources == source) & (labels == c)] for c in range(len(MODEL_CLASSES))]
            asked = [p if len(bucket) else 0.0 for p, bucket in zip(balance.prevalence, found, strict=True)]
            if every_class and SOURCES[source] != "read" and sum(asked) < sum(balance.prevalence) - 1e-9:
                raise InsufficientEvidenceError(
                    f"Not every class occurs among the samples of {SOURCES[source]}: simulate more patients."
                )
            for share, bucket in zip(asked, found, strict=True):
                if share:
                    self._buckets.append(bucket)
                    weights.append(balance.shares[source] / total * share / sum(asked))
        if not self._buckets:
            raise InsufficientEvidenceError(
                "There is nothing to train on: no sample has a share in the balance."
            )
        self._weights = np.array(weights) / sum(weights)

    def draw(self, count: int, random: np.random.Generator) -> Index:
        """Indices of ``count`` samples, with replacement."""
        chosen = random.choice(len(self._buckets), size=count, p=self._weights)
        return np.array([random.choice(self._buckets[bucket]) for bucket in chosen], dtype=np.intp)
