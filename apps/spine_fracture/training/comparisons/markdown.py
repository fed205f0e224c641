"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from spine_fracture.evaluation.cases.differences import Difference
from spine_fracture.evaluation.reports import pages
from spine_fracture.evaluation.statistics.intervals import Estimate


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table."""
    return [_line(columns), _line(["---"] * len(columns)), *map(_line, rows)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def interval(value: Estimate | None) -> str:
    """A figure with its limits, where it has any; empty where there is none, as are those below."""
    if value is None:
        return ""
    limits = pages.between(value)
    return f"{value.value:.3f} ({limits})" if limits else f"{value.value:.3f}"


def signed(value: Estimate | None) -> str:
    """A difference with its limits."""
    return "" if value is None else pages.signed(value)


def shown(found: Difference | None) -> str:
    """A difference with its limits and its verdict."""
    return "cannot be told" if found is None else f"{signed(found.difference)}: {found.verdict}"
