"""The table of what training took."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from spine_fracture.training.comparisons.comparison import RunResult
from spine_fracture.training.comparisons.markdown import table

_COLUMNS = (
    "model", "stored numbers (M)", "minutes a seed", "epochs (best)", "ended because", "pictures/s",
    "waiting for data", "GPU memory (MiB)",
)  # fmt: skip
_NOTE = (
    "`stored numbers` are all that the weights file holds: the parameters, and running means and other "
    "numbers that no step learns. Of an ensemble, whose networks are trained one after the other, `epochs` "
    "are those of all together; in brackets stands the latest of their best epochs, each counted from the "
    "start of its own network.\n"
)


def cost_table(entries: Mapping[str, tuple[RunResult, ...]]) -> str:
    """A line for each entry of which it is known."""
    lines = []
    for name, runs in entries.items():
        costs = [run.cost for run in runs if run.cost is not None]
        if costs:
            seconds = sum(cost.seconds for cost in costs)
            lines.append(
                (
                    name,
                    f"{runs[0].record.parameters / 1e6:.2f}",
                    f"{seconds / 60 / len(costs):.1f}",
                    ", ".join(f"{cost.epochs} ({cost.best_epoch})" for cost in costs),
                    "; ".join(dict.fromkeys(cost.stopped for cost in costs)),
                    f"{np.mean([cost.pictures_a_second for cost in costs]):.0f}",
                    f"{sum(cost.waited for cost in costs) / max(seconds, 1e-9):.0%}",
                    f"{max(cost.device_mib for cost in costs):.0f}",
                )
            )
    return "\n".join(["### What training took\n", *table(_COLUMNS, lines), "", _NOTE])
