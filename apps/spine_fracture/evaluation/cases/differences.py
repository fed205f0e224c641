"""How much one model is above another, and what may be said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from spine_fracture.evaluation.cases.binary import Metric
from spine_fracture.evaluation.cases.non_inferiority import is_not_worse
from spine_fracture.evaluation.cases.subgroups import MINIMUM
from spine_fracture.evaluation.statistics.intervals import (
    Estimate,
    FloatArray,
    Resampling,
    estimate,
    two_sided_p,
)
from spine_fracture.evaluation.statistics.paired import holm_of_known

#: With fewer patients an interval that is drawn from them proves nothing: as many as a subgroup needs.
FEWEST = 2 * MINIMUM


class BoxMetric(StrEnum):
    """What detectors are compared by."""

    MAP50_95 = "map50_95"


class Verdict(StrEnum):
    """What a difference says of the second of two models."""

    BETTER = "better"
    WORSE = "worse"
    NOT_SHOWN = "not shown"
    TOO_FEW = "too few patients"


@dataclass(frozen=True)
class Difference:
    """``second - first`` of one metric on the same ``cases`` of ``patients``, who are drawn together.

    ``p_value`` is two-sided, by the same draws, of which there must be enough: it is at least 2 / (draws +
    1). ``p_holm`` is adjusted over all differences of a table that have enough patients; the interval is not.
    """

    metric: Metric | BoxMetric
    cases: int
    patients: int
    first: float
    second: float
    difference: Estimate
    p_value: float
    p_holm: float

    @property
    def enough(self) -> bool:
        """Whether there are enough patients to say anything."""
        return self.patients >= FEWEST

    @property
    def verdict(self) -> Verdict:
        """What is left of the difference after Holm's adjustment."""
        if not self.enough:
            return Verdict.TOO_FEW
        if self.p_holm >= 1 - self.difference.confidence:
            return Verdict.NOT_SHOWN
        return Verdict.BETTER if self.difference.value > 0 else Verdict.WORSE

    @property
    def p_told(self) -> float | None:
        """Holm's p; None with too few patients, of whom every draw may say the same."""
        return self.p_holm if self.enough else None

    def not_worse(self, margin: float) -> bool | None:
        """Whether the second of two models is not worse than the first; None where there are too few
        patients, or both are perfect, so that no draw tells how far either may fall.
        """
        if not self.enough or self.first == self.second == 1:
            return None
        return is_not_worse(self.difference, margin)


def drawn_difference(
    metric: Metric | BoxMetric,
    first: FloatArray,
    second: FloatArray,
    cases: int,
    patients: int,
    how: Resampling,
) -> Difference:
    """From the drawn values of two models on the same patients, not adjusted yet."""
    drawn = second - first
    p_value, interval = two_sided_p(drawn), estimate(drawn, how.confidence)
    values = float(first[0]), float(second[0])
    return Difference(metric, cases, patients, *values, interval, p_value, p_holm=p_value)


def with_holm(differences: Sequence[Difference | None]) -> tuple[Difference | None, ...]:
    """With Holm's p over all of them that there are of enough patients: the others' is not told."""
    adjusted = holm_of_known([found.p_value if found and found.enough else None for found in differences])
    return tuple(
        replace(found, p_holm=p) if found and p is not None else found
        for found, p in zip(differences, adjusted, strict=True)
    )
