"""Many systems, one cohort, the same budget, several seeds: what the comparison table is made from.

Every run keeps its own folder, so a comparison that was interrupted goes on where it stopped, on this
machine or on another that is given the folders.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from spine_fracture.bundle import read_bundle
from spine_fracture.configuration import Config
from spine_fracture.errors import InputError
from spine_fracture.evaluation.answers import QUESTIONS, Answers, Case, read_answers, write_answers
from spine_fracture.evaluation.boxes import BoxAnswers, read_boxes, write_boxes
from spine_fracture.files import write_atomically
from spine_fracture.training.families import System, load_system
from spine_fracture.training.family import Judged, Tell, with_settings

RECORD, ANSWERS, BOXES = "run.json", "answers.json", "boxes.json"
_DIGITS = 4  # of the probabilities that are kept


class Entry(Config):
    """One row: a system, by another ``label`` where it stands there more than once, with ``settings`` of its
    own over the budget's, on another of the comparison's cohorts where it needs one.
    """

    system: str
    label: str = ""
    cohort: str = ""
    settings: dict[str, JsonValue] = Field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.label or self.system


class Comparison(Config):
    """The whole of ``configs/comparisons/*.yaml``. ``budget`` has settings that all systems of a kind share;
    ``note`` is printed with the table.
    """

    name: str
    cohort: str
    seeds: tuple[int, ...]
    budget: dict[Literal["detector", "classifier"], dict[str, JsonValue]] = Field(default_factory=dict)
    entries: tuple[Entry, ...]
    note: str = ""


class RunRecord(BaseModel):
    """What a run was, beside its answers. ``recipe`` is the digest of all its settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    entry: str
    system: str
    family: str
    kind: str
    paper: str
    seed: int
    cohort: str
    recipe: str
    version: str
    parameters: int
    machine: str


@dataclass(frozen=True)
class Run:
    """One system, trained with one seed. ``folder`` may hold its result already."""

    entry: Entry
    system: System
    seed: int
    cohort: str
    folder: Path

    @property
    def recipe(self) -> str:
        """A digest of everything that decides what comes out, but the code."""
        text = f"{self.system.config.model_dump_json()}{self.seed}{self.cohort}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def done(self) -> bool:
        record = self.folder / RECORD
        return record.is_file() and read_record(record).recipe == self.recipe


@dataclass(frozen=True)
class RunResult:
    record: RunRecord
    answers: Answers | None
    boxes: BoxAnswers | None


def planned(comparison: Comparison, results: Path) -> Iterator[Run]:
    """All runs, seed by seed: after the first round every system has an answer."""
    systems = [system_of(comparison, entry) for entry in comparison.entries]
    for seed in comparison.seeds:
        for entry, system in zip(comparison.entries, systems, strict=True):
            yield Run(
                entry, system, seed, entry.cohort or comparison.cohort, results / entry.name / str(seed)
            )


def system_of(comparison: Comparison, entry: Entry) -> System:
    """The entry's system with the budget's settings and its own."""
    system = load_system(entry.system)
    budget = comparison.budget.get(system.family.kind, {})
    return System(with_settings(system.config, {**budget, **entry.settings}), system.family)


def carry_out(run: Run, cohorts: Mapping[str, Path], work: Path, machine: str, tell: Tell) -> RunResult:
    """Train, answer, and keep the result in the run's folder; bundle and checkpoints stay in ``work``."""
    if run.cohort not in cohorts:
        raise InputError(f"{run.entry.name} needs the cohort {run.cohort}: name its folder.")
    cohort, out = cohorts[run.cohort], work / run.entry.name / f"{run.seed}-{run.recipe}"
    trained = run.system.family.train(run.system.config, cohort, out, run.seed, tell)
    judged = run.system.family.answer(out, cohort)
    _, state = read_bundle(out)
    record = RunRecord(
        entry=run.entry.name,
        system=run.system.name,
        family=run.system.family.name,
        kind=run.system.family.kind,
        paper=run.system.config.paper,
        seed=run.seed,
        cohort=run.cohort,
        recipe=run.recipe,
        version=trained.manifest.version,
        parameters=sum(tensor.numel() for tensor in state.values()),
        machine=machine,
    )
    shutil.rmtree(run.folder, ignore_errors=True)
    answers = judged.answers and _asked(judged.answers.model_copy(update={"cost": trained.cost}))
    boxes = judged.boxes and judged.boxes.model_copy(update={"cost": trained.cost})
    keep(run.folder, Judged(answers, boxes))
    write_atomically(run.folder / RECORD, (record.model_dump_json(indent=1) + "\n").encode())
    return RunResult(record, answers, boxes)


def read_results(comparison: Comparison, results: Path) -> tuple[RunResult, ...]:
    """The results of all runs that are done."""
    return tuple(read_result(run.folder) for run in planned(comparison, results) if run.done)


def read_result(folder: Path) -> RunResult:
    """What a run's folder holds."""
    answers, boxes = folder / ANSWERS, folder / BOXES
    return RunResult(
        read_record(folder / RECORD),
        read_answers(answers) if answers.is_file() else None,
        read_boxes(boxes) if boxes.is_file() else None,
    )


def read_record(path: Path) -> RunRecord:
    """Raises :class:`InputError` for a file that is none."""
    try:
        return RunRecord.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise InputError(f"{path} is no record of a run: remove its folder and run it again.") from error


def keep(folder: Path, judged: Judged) -> None:
    """Write the answers and boxes that there are into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if judged.answers is not None:
        write_answers(judged.answers, folder / ANSWERS)
    if judged.boxes is not None:
        write_boxes(judged.boxes, folder / BOXES)


def _asked(answers: Answers) -> Answers:
    """Only what the system's question is about, or any question where its classes answer all of them, in a
    few digits: results are kept with the code.
    """

    def short(case: Case) -> Case:
        return case.model_copy(update={"probabilities": tuple(round(p, _DIGITS) for p in case.probabilities)})

    every = all(question.answerable(answers.classes) for question in QUESTIONS.values())
    questions = QUESTIONS.values() if every else (QUESTIONS[answers.question],)
    kept = [case for case in answers.cases if any(question.about(case) for question in questions)]
    parts = dict.fromkeys(case.part for case in kept)
    return answers.model_copy(
        update={"cases": tuple(short(case) for part in parts for case in kept if case.part is part)}
    )
