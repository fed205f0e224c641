"""Which samples make a batch: every source with the same prevalence of classes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spine_fracture.anatomy import MODEL_CLASSES
from spine_fracture.errors import InsufficientEvidenceError
from spine_fracture.training.classifiers.cache import SOURCES, CropCache
from spine_fracture.training.classifiers.config import Balance

Index = npt.NDArray[np.intp]


class BalancedSampler:
    """Draws a source by its share, a class by its prevalence, then a sample of that source and class.

    Simulated sources must hold every class with a prevalence, or the picture's source would tell
    something of its class; reads are drawn from the classes that there are, which must be two at least.
    Without ``every_class`` any classes do, from all sources: for samples that only choose.
    Where no source that is there has a share, e.g. in a cohort of reads, all have the same.
    """

    def __init__(self, cache: CropCache, index: Index, balance: Balance, *, every_class: bool = True) -> None:
        sources, labels = cache.column("source")[index], cache.column("label")[index]
        self._buckets: list[Index] = []
        weights: list[float] = []
        there = set(sources.tolist())
        shares = {source: balance.shares[source] for source in there if balance.shares[source] > 0}
        shares = shares or dict.fromkeys(there, 1.0)
        total, taught = sum(shares.values()), set[int]()
        for source in sorted(shares):
            found = [index[(sources == source) & (labels == c)] for c in range(len(MODEL_CLASSES))]
            asked = [p if len(bucket) else 0.0 for p, bucket in zip(balance.prevalence, found, strict=True)]
            if every_class and SOURCES[source] != "read" and sum(asked) < sum(balance.prevalence) - 1e-9:
                raise InsufficientEvidenceError(
                    f"Not every class occurs among the samples of {SOURCES[source]}: simulate more patients."
                )
            for label, (share, bucket) in enumerate(zip(asked, found, strict=True)):
                if share:
                    taught.add(label)
                    self._buckets.append(bucket)
                    weights.append(shares[source] / total * share / sum(asked))
        if not self._buckets:
            raise InsufficientEvidenceError(
                "There is nothing to train on: no sample has a share in the balance."
            )
        if every_class and len(taught) < 2:
            raise InsufficientEvidenceError(
                f"All samples that teach are {MODEL_CLASSES[taught.pop()]}: add patients of another class."
            )
        self._weights = np.array(weights) / sum(weights)

    def draw(self, count: int, random: np.random.Generator) -> Index:
        """Indices of ``count`` samples, with replacement."""
        chosen = random.choice(len(self._buckets), size=count, p=self._weights)
        return np.array([random.choice(self._buckets[bucket]) for bucket in chosen], dtype=np.intp)
