"""Which entries of a comparison are not to be taken for their last word."""

from __future__ import annotations

from collections.abc import Mapping

from spine_fracture.training.comparisons.comparison import RunResult

#: Fewer seeds tell little of what the seed alone changes.
SEEDS = 3
#: Fewer patients who teach show little of what a network can learn.
TAUGHT = 300


def unfinished(entries: Mapping[str, tuple[RunResult, ...]]) -> str:
    """The entries with too few seeds, too few patients, or trainings that no early stop ended, as a list;
    empty where there is none.
    """
    at_the_end = {name: sum(_ran_out(run) for run in runs) for name, runs in entries.items()}
    found = {
        f"Fewer than {SEEDS} seeds": [name for name, runs in entries.items() if len(runs) < SEEDS],
        f"Fewer than {TAUGHT} patients who taught": [
            name for name, runs in entries.items() if any(run.record.teaching < TAUGHT for run in runs)
        ],
        "Ended at the last epoch, not at the early stop, so that longer training may give more": [
            f"{name} ({count} of {len(entries[name])})" for name, count in at_the_end.items() if count
        ],
    }
    lines = [f"- {what}: {', '.join(names)}." for what, names in found.items() if names]
    return "\n".join(["Rows that do not count as finished:\n", *lines, ""]) if lines else ""


def _ran_out(run: RunResult) -> bool:
    return run.cost is not None and run.cost.ran_out
