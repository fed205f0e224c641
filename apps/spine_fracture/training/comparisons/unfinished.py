"""Which entries of a comparison are not to be taken for their last word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from spine_fracture.training.comparisons.comparison import Comparison, RunResult

#: Fewer seeds tell little of what the seed alone changes.
SEEDS = 3
#: A remark about more entries than this says how many, and names them on demand.
NAMED = 12
#: Fewer patients who teach show little of what a network can learn.
TAUGHT = 300


def unfinished(comparison: Comparison, entries: Mapping[str, tuple[RunResult, ...]]) -> str:
    """The entries without a run, with too few seeds, too few patients, or trainings that no early stop ended,
    as a list; empty where there is none. ``entries`` has the runs of those that have any.
    """
    at_the_end = {name: sum(_ran_out(run) for run in runs) for name, runs in entries.items()}
    found = {
        "Not run yet": [entry.name for entry in comparison.entries if entry.name not in entries],
        f"Fewer than {SEEDS} seeds": [name for name, runs in entries.items() if len(runs) < SEEDS],
        f"Fewer than {TAUGHT} patients who taught": [
            name for name, runs in entries.items() if any(run.record.teaching < TAUGHT for run in runs)
        ],
        "Ended at the last epoch, not at the early stop, so that longer training may give more": [
            f"{name} ({count} of {len(entries[name])})" for name, count in at_the_end.items() if count
        ],
    }
    lines = [f"- {what}: {_named(names)}" for what, names in found.items() if names]
    return "\n".join(["What does not count as finished:\n", *lines, ""]) if lines else ""


def _named(names: Sequence[str]) -> str:
    told = f"{', '.join(names)}."
    if len(names) <= NAMED:
        return told
    return f"{len(names)} entries. <details><summary>Which</summary>{told}</details>"


def _ran_out(run: RunResult) -> bool:
    return run.cost is not None and run.cost.ran_out
