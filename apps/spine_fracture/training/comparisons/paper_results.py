"""The runs of a comparison as what the tables of the source studies are filled from."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from spine_fracture.errors import InputError
from spine_fracture.evaluation.papers.tables import EntryRuns
from spine_fracture.training.comparisons.comparison import RECORD, RunResult, read_result, require_one_cohort


def results_in(folder: Path) -> dict[str, EntryRuns]:
    """All runs in the folder of a comparison's results, by entry, their seeds in order.

    Empty where nothing was run yet; raises :class:`InputError` where there is no such folder, or where runs
    of one entry are of different cohorts.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder of results: benchmarks/comparison.py makes one.")
    by_entry: dict[str, list[RunResult]] = defaultdict(list)
    for record in sorted(folder.glob(f"*/*/{RECORD}")):
        result = read_result(record.parent)
        by_entry[result.record.entry].append(result)
    return {entry: _runs(runs) for entry, runs in by_entry.items()}


def _runs(runs: list[RunResult]) -> EntryRuns:
    require_one_cohort(runs, f"The runs of {runs[0].record.entry}")
    runs.sort(key=lambda run: run.record.seed)
    return EntryRuns(
        cohort=runs[0].record.cohort,
        answers=tuple(run.answers for run in runs if run.answers is not None),
        boxes=tuple(run.boxes for run in runs if run.boxes is not None),
    )
