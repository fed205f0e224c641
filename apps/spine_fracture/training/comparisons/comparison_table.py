"""The comparison as a page of Markdown: a table for each question and cohort, one for detectors.

Figures are of the answers joined over seeds; what a single seed has stands beside them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from spine_fracture.evaluation.statistics.intervals import Resampling
from spine_fracture.training.comparisons.comparison import Comparison, RunResult
from spine_fracture.training.comparisons.comparison_rows import ClassifierRow, by_entry, classifier_rows
from spine_fracture.training.comparisons.cost_table import cost_table
from spine_fracture.training.comparisons.detector_table import detector_tables
from spine_fracture.training.comparisons.question_table import question_table
from spine_fracture.training.comparisons.skip_lesion_table import skip_lesion_table
from spine_fracture.training.comparisons.unfinished import unfinished


@dataclass(frozen=True)
class Page:
    """Markdown ``text`` to stand between two marks."""

    begin: str
    end: str
    text: str


def comparison_page(comparison: Comparison, results: Sequence[RunResult], how: Resampling) -> Page:
    """All tables of a comparison, from the runs that are done."""
    entries = by_entry(comparison, results)
    rows = classifier_rows(entries)
    parts = [
        f"{comparison.note.strip()}\n" if comparison.note else "",
        _machines(results),
        unfinished(comparison, entries),
    ]
    cohorts: dict[str, list[ClassifierRow]] = defaultdict(list)
    for row in rows:
        cohorts[row.cohort].append(row)
    for cohort, members in cohorts.items():
        for question in dict.fromkeys(row.trained_for for row in members):
            parts.append(question_table(cohort, question, members, how))
    parts.append(skip_lesion_table(rows, comparison.cohort, how))
    parts += detector_tables(entries, how)
    parts.append(cost_table(entries))
    mark = f"comparison {comparison.name}"
    return Page(f"<!-- {mark} begins -->", f"<!-- {mark} ends -->", "\n".join(filter(None, parts)))


def _machines(results: Sequence[RunResult]) -> str:
    names = dict.fromkeys(result.record.machine for result in results)
    return "Trained on: " + "; ".join(names) + ".\n" if names else ""
