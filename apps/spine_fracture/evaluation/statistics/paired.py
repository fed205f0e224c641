"""Two answers to the same cases: McNemar's test, and what it can say without the pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spine_fracture.errors import InputError


@dataclass(frozen=True)
class McNemar:
    """How many cases only one of two got right, and the two-sided p of that being chance (McNemar 1947).

    ``p_exact`` is the binomial one, ``p_corrected`` of chi-squared with the continuity correction of
    Edwards 1948, ``p_uncorrected`` without.
    """

    only_first: int
    only_second: int
    p_exact: float
    p_corrected: float
    p_uncorrected: float

    @property
    def smallest(self) -> float:
        return min(self.p_exact, self.p_corrected, self.p_uncorrected)


def mcnemar(first_right: npt.ArrayLike, second_right: npt.ArrayLike) -> McNemar:
    """From two lists (n,) of whether each case was answered rightly. Cases must be independent."""
    first, second = np.asarray(first_right, dtype=bool), np.asarray(second_right, dtype=bool)
    if first.shape != second.shape or first.ndim != 1:
        raise InputError(f"Both answers must be equally long lists, got {first.shape} and {second.shape}.")
    return mcnemar_of_counts(int((first & ~second).sum()), int((second & ~first).sum()))


def mcnemar_of_counts(only_first: int, only_second: int) -> McNemar:
    """From how many cases only the first, and only the second, got right."""
    if only_first == only_second:  # where the correction would make a difference out of none
        return McNemar(only_first, only_second, 1.0, 1.0, 1.0)
    table = [[0, only_first], [only_second, 0]]
    return McNemar(
        only_first,
        only_second,
        p_exact=_p(table, exact=True),
        p_corrected=_p(table, exact=False, correction=True),
        p_uncorrected=_p(table, exact=False, correction=False),
    )


def kindest_pairing(successes1: int, successes2: int, n: int) -> McNemar:
    """McNemar's test for the pairing of two counts out of ``n`` that makes p as small as it can be.

    The counts fix the difference of the two kinds of discordant cases, and p is smallest where there
    are no more of them than the difference: one reader is right wherever the other is.
    """
    if not (0 <= successes1 <= n and 0 <= successes2 <= n):
        raise InputError(f"Of {n} cases, {successes1} and {successes2} cannot have been right.")
    return mcnemar_of_counts(max(successes1 - successes2, 0), max(successes2 - successes1, 0))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Adjusted so that all of them together err as often as one would (Holm 1979, Scand J Stat 6:65).

    The smallest of m is multiplied by m, the next by m - 1 .., and none ends below a smaller one.
    """
    given = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(given, kind="stable")
    raised = np.maximum.accumulate(given[order] * np.arange(len(given), 0, -1))
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(raised, 1.0)
    return tuple(adjusted.tolist())


def _p(table: list[list[int]], **how: bool) -> float:
    from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

    result: Any = statsmodels_mcnemar(table, **how)
    return float(result.pvalue)


def holm_of_known(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's p of those that there are; the others count for nothing."""
    adjusted = iter(holm([p for p in p_values if p is not None]))
    return [None if p is None else next(adjusted) for p in p_values]
