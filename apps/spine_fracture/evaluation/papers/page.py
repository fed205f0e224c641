"""The tables of all five source studies on one page, theirs beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from spine_fracture.evaluation.cases.features import FeatureRow
from spine_fracture.evaluation.papers.printed import (
    PAPERS,
    ComparisonCheck,
    FeatureCheck,
    Paper,
    check_comparisons,
    check_features,
    load_paper,
)
from spine_fracture.evaluation.papers.tables import Figure, FilledTable, Results, fill
from spine_fracture.evaluation.reports.pages import page
from spine_fracture.evaluation.statistics.intervals import Resampling

_NAMES = {
    Figure.F1: "F1",
    Figure.AUC: "AUC",
    Figure.MAP50_95: "mAP50-95",
    Figure.OVERLAP: "Overlap (IoU)",
}


@dataclass(frozen=True)
class FilledPaper:
    """``features`` and ``comparisons`` are checks of what the study printed."""

    paper: Paper
    tables: tuple[FilledTable, ...]
    features: tuple[FeatureCheck, ...]
    comparisons: tuple[ComparisonCheck, ...]


def filled_papers(results: Results, resampling: Resampling | None = None) -> tuple[FilledPaper, ...]:
    """All five, with whatever was run."""
    how = resampling or Resampling()
    papers = [load_paper(name) for name in PAPERS]
    return tuple(
        FilledPaper(
            paper,
            tuple(fill(table, results, how) for table in paper.tables),
            check_features(paper),
            check_comparisons(paper),
        )
        for paper in papers
    )


def render_papers(papers: Sequence[FilledPaper], features: Sequence[FeatureRow] = ()) -> str:
    """The page. ``features`` of a cohort of ours stand beside those that a study printed."""
    return page(
        "papers.html",
        created=datetime.now(UTC),
        papers=papers,
        features={row.feature: row for row in features},
        names={figure: _NAMES.get(figure, figure.value.capitalize()) for figure in Figure},
    )
