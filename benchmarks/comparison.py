"""Every system on one cohort with the same budget: trains what is missing, and writes the table.

    python benchmarks/comparison.py --cohort comparison=DIR --cohort radiographs=DIR

A run that is done is kept in ``benchmarks/results`` and not done again, unless the cohort that is given is
another than it was done on; checkpoints and weights lie in ``--work``. ``--table`` trains nothing and only
writes the table anew from the results that there are.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from machine import machine
from rich.console import Console

from spine_fracture.configuration import load_config
from spine_fracture.errors import InputError, SpineFractureError
from spine_fracture.evaluation.statistics.intervals import Resampling
from spine_fracture.files import write_atomically
from spine_fracture.training.cohorts.folder import CohortFolder
from spine_fracture.training.comparisons.carrying_out import carry_out
from spine_fracture.training.comparisons.comparison import Comparison, planned, read_results, require_known
from spine_fracture.training.comparisons.comparison_table import comparison_page

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs" / "benchmarks.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--config", default="comparisons/cpu", help="a YAML file or a name under configs/")
    parser.add_argument("--cohort", action="append", default=[], help="NAME=FOLDER, once for each cohort")
    parser.add_argument("--work", type=Path, default=Path("spine-project/comparison"))
    parser.add_argument("--only", action="append", default=[], help="run these entries alone")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no run after so long")
    parser.add_argument("--table", action="store_true", help="write the table only")
    options = parser.parse_args()
    console = Console()
    comparison = load_config(options.config, Comparison)
    results = HERE / "results" / comparison.name
    cohorts = {name: CohortFolder.open(Path(folder)) for name, folder in map(_named, options.cohort)}
    require_known(comparison, options.only, cohorts)
    began = time.monotonic()
    for run in () if options.table else planned(comparison, results, cohorts):
        late = time.monotonic() - began > 60 * options.minutes
        if late or run.done or (options.only and run.entry.name not in options.only):
            continue
        if run.data is None:
            console.print(f"{run.entry.name}: left out, its cohort {run.cohort} is not here", highlight=False)
            continue
        console.print(f"[bold]{run.entry.name}[/], seed {run.seed}", highlight=False)
        try:
            carry_out(run, options.work, machine(), lambda line: console.print(f"  {line}"))
        except SpineFractureError as error:
            console.print(f"  [red]{error}[/]", highlight=False)
    page = comparison_page(comparison, read_results(comparison, results, cohorts), Resampling(draws=5000))
    before, _, rest = DOCS.read_text().partition(page.begin)
    _, _, after = rest.partition(page.end)
    write_atomically(DOCS, f"{before}{page.begin}\n{page.text}{page.end}{after}".encode())
    console.print(f"{DOCS.name} holds the table.")


def _named(text: str) -> tuple[str, str]:
    name, sign, folder = text.partition("=")
    if not sign:
        raise InputError(f"--cohort {text} names no folder: write NAME=FOLDER.")
    return name, folder


if __name__ == "__main__":
    try:
        main()
    except SpineFractureError as error:
        sys.exit(str(error))
