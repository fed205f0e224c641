"""``spine-fracture train classifier --snapshot``: the champion learns from reads."""

from __future__ import annotations

from rich.console import Console
from rich.progress import Progress

DEFAULT_CONFIG = "training/classifier"


def retrain_from_snapshot(snapshot: str, config: str = DEFAULT_CONFIG) -> None:
    """Retrain, register the candidate, and print what the gate decided."""
    from spine_fracture.cohort.project import open_project
    from spine_fracture.promotion import open_registry
    from spine_fracture.retraining import retrain
    from spine_fracture.training.learning.loop import Epoch
    from spine_fracture.training.systems.family import EpochLine

    console = Console()
    project = open_project()
    registry = open_registry(project)
    with Progress(console=console) as bars:
        tasks = {}

        def tell(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=of)
            bars.update(tasks[what], completed=done, total=of)

        def heard(epoch: Epoch) -> None:
            bars.console.print(str(EpochLine("retraining", epoch)), highlight=False, markup=False)
            tell("training", epoch.number, epoch.of)

        result = retrain(project, registry, config, snapshot, tell, heard)
    for reason in result.left_out:
        console.print(f"Left out: {reason}", highlight=False, markup=False)
    console.print(
        f"{result.candidate.name}: {result.training_reads} levels of {result.snapshot}. "
        f"{result.decision.verdict}: {result.decision.explanation} "
        f"{result.champion.name} serves. Not for clinical use.",
        highlight=False,
        markup=False,
    )
