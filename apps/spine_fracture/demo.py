"""The whole loop once, on phantoms: ingest, read with the models, rank, label, retrain, gate, report.

Every step is the one a hospital runs; only the patients and the reader are simulated.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, TaskID, track
from rich.table import Table
from sqlalchemy import func, select

from spine_fracture.active_learning.queue import QueueItem, ranked_levels
from spine_fracture.active_learning.simulated_reader import SimulatedReader
from spine_fracture.active_learning.strategies import Ranked, load_strategy
from spine_fracture.active_learning.worklists import next_items
from spine_fracture.bundle import SHIPPED_WEIGHTS
from spine_fracture.cohort.desk import WorkList
from spine_fracture.cohort.ingest import ingest
from spine_fracture.cohort.levels import find_level
from spine_fracture.cohort.models import LevelSource, Patient, Study, StudyLevel
from spine_fracture.cohort.overview import overview
from spine_fracture.cohort.phantoms import make_phantoms
from spine_fracture.cohort.project import Project, open_project
from spine_fracture.cohort.protocol import load_protocol
from spine_fracture.cohort.reads import submit_read
from spine_fracture.cohort.snapshots import freeze
from spine_fracture.cohort.splits import Split
from spine_fracture.cohort.studies import load_pair
from spine_fracture.configuration import load_config
from spine_fracture.evaluation.reports.drawing import data_uri
from spine_fracture.evaluation.reports.level_picture import level_picture
from spine_fracture.evaluation.reports.loop_report import (
    CentreRow,
    RankedLevel,
    ReadRow,
    Report,
    write_report,
)
from spine_fracture.pipeline import ReadingPipeline
from spine_fracture.reading import read_catalogue
from spine_fracture.registry import Registry
from spine_fracture.retraining import retrain
from spine_fracture.simulation.recipe import PhantomRecipe
from spine_fracture.simulation.truth import read_truth
from spine_fracture.training.classifiers.samples import Tell

READER = "simulated-reader"
STRATEGY = "uncertainty"
PROTOCOL = "single"
READS = 20


@dataclass(frozen=True)
class DemoPlan:
    """Configurations of the cohort and of the training, by name or path, and how many levels are shown."""

    recipe: str = "phantoms/small"
    training: str = "training/demo"
    shown: int = 12


@dataclass(frozen=True)
class DemoResult:
    """Where the report is, and what it says."""

    page: Path
    data: Path
    report: Report


@dataclass
class _Clock:
    """Seconds spent on each step, in order."""

    console: Console
    steps: list[tuple[str, float]] = field(default_factory=list)

    @contextmanager
    def step(self, words: str) -> Iterator[None]:
        self.console.print(f"[bold cyan]{len(self.steps) + 1}.[/] {words}")
        started = time.perf_counter()
        yield
        self.steps.append((words, time.perf_counter() - started))


def run_demo(home: Path, console: Console, plan: DemoPlan) -> DemoResult:
    """Run the loop in ``home``; what an earlier run made is used again."""
    clock = _Clock(console)
    folder = home / "demo"
    with clock.step("Phantom cohort"):
        recipe = load_config(plan.recipe, PhantomRecipe)
        with _bars(console) as tell:
            make_phantoms(folder, recipe, lambda done, total: tell("Phantoms", done, total))
        truths = read_truth(folder / "truth")
    project = open_project(home)
    with clock.step("Ingest"):
        for centre in sorted((folder / "studies").iterdir()):
            ingest(centre, f"centre {centre.name}", project)
    registry = Registry(project.settings.registry_folder)
    with clock.step("Detect and classify with the serving models"):
        registry.register_shipped(SHIPPED_WEIGHTS)
        before = registry.champion("classification")
        detector = registry.champion("detection")
        pipeline = ReadingPipeline.load(detector.folder, before.folder)
        with _bars(console) as tell:
            read_catalogue(project, pipeline, lambda done, total: tell("Studies", done, total))
    strategy, protocol = load_strategy(STRATEGY), load_protocol(PROTOCOL)
    with clock.step("Rank the levels"), project.session() as session:
        ranking = ranked_levels(session, strategy)
        queue = next_items(session, READER, WorkList.ASSISTED, protocol, strategy, READS)
    with clock.step(f"A simulated reader labels the first {READS}"):
        reader = SimulatedReader(READER, truths)
        reads = _answer(project, reader, queue, console)
    with clock.step("The locked test patients are read too, blinded"):
        _answer(project, reader, _judging(project), console)
    with clock.step("Retrain the classifier and put it through the gate"):
        freeze(project)
        with _bars(console) as tell:
            outcome = retrain(project, registry, plan.training, tell=tell)
    with clock.step("Report"):
        report = Report(
            created=datetime.now(),
            detector=detector.name,
            champion_before=before.name,
            champion_after=registry.champion("classification").name,
            candidate=outcome.candidate.name,
            training_reads=outcome.training_reads,
            centres=_centres(project),
            ranked=tuple(_ranked(project, ranking[: plan.shown])),
            reads=reads,
            gate=outcome.decision,
            seconds=tuple(clock.steps),
        )
        page, data = write_report(report, project.settings.results_folder)
    return DemoResult(page, data, report)


def _answer(
    project: Project, reader: SimulatedReader, queue: Sequence[QueueItem], console: Console
) -> tuple[ReadRow, ...]:
    """Read the queue in its order; each read is stored before the next level is looked at."""
    rows = []
    for number, item in enumerate(track(queue, "Reads", console=console, transient=True), start=1):
        submission = reader.read(item)
        with project.transaction() as session:
            read = submit_read(session, submission)
            patient = read.level.study.patient.key
        rows.append(
            ReadRow(
                number,
                patient,
                submission.name_given or item.level,
                submission.mode.value,
                submission.diagnosis,
                submission.confidence,
                submission.seconds,
            )
        )
    return tuple(rows)


def _judging(project: Project) -> tuple[QueueItem, ...]:
    """All levels of validation and test patients that nobody has read, in the blinded stream's order."""
    only_judging = load_strategy(STRATEGY).model_copy(update={"blinded_one_in": 1})
    with project.session() as session:
        unread = session.scalar(
            select(func.count(StudyLevel.id))
            .join(Study)
            .join(Patient)
            .where(
                StudyLevel.current,
                StudyLevel.source != LevelSource.REFERENCE,
                Patient.split != Split.TRAIN,
                ~StudyLevel.reads.any(),
            )
        )
        if not unread:
            return ()
        protocol = load_protocol(PROTOCOL)
        return next_items(session, READER, WorkList.ASSISTED, protocol, only_judging, unread)


def _centres(project: Project) -> tuple[CentreRow, ...]:
    with project.session() as session:
        return tuple(
            CentreRow(row.centre, sum(row.patients), row.studies, row.series, row.levels, row.refused)
            for row in overview(session)
        )


def _ranked(project: Project, ranking: Iterable[Ranked]) -> Iterator[RankedLevel]:
    """The rows of the report, pictures included; each study is loaded once for its levels."""
    for place, item in enumerate(ranking, start=1):
        with project.session() as session:
            level = find_level(session, item.level.level_id)
            pair = load_pair(session, level.study.uid)
            shown = [s for s in level.slices if s.series.uid == pair.reference.series_uid]
            key = max(shown, key=lambda s: s.score)
            read = next((r.diagnosis for r in level.reads if r.reader == READER), None)
            yield RankedLevel(
                rank=place,
                patient=item.level.patient,
                centre=item.level.centre,
                level=level.name,
                score=item.score or 0.0,
                probabilities=item.level.probabilities,
                uncertainty=item.level.uncertainty,
                reasons=item.level.reasons,
                read=read,
                picture=data_uri(level_picture(pair.pixels[key.slice_index], key.box, level.name.value)),
            )


def print_summary(result: DemoResult, console: Console) -> None:
    """What a person wants to know at the end, in the terminal."""
    report = result.report
    table = Table("#", "Patient", "Level", "Uncertainty", "Why", title="The levels that teach most")
    for level in report.ranked[:8]:
        why = "; ".join(level.reasons) or "-"
        table.add_row(str(level.rank), escape(level.patient), level.level, f"{level.score:.2f}", escape(why))
    console.print(table)
    console.print(f"Gate: [bold]{report.gate.verdict}[/]. {escape(report.gate.explanation)}")
    console.print(f"Now serving: {escape(report.champion_after)}")
    console.print(f"Report: {escape(str(result.page))}")
    console.print("Not for clinical use.", style="dim")


@contextmanager
def _bars(console: Console) -> Iterator[Tell]:
    """One bar for each thing that is told of."""
    with Progress(console=console, transient=True) as progress:
        tasks: dict[str, TaskID] = {}

        def tell(words: str, done: int, total: int) -> None:
            if words not in tasks:
                tasks[words] = progress.add_task(words)
            progress.update(tasks[words], completed=done, total=total)

        yield tell
