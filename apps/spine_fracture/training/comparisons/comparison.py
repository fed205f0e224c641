"""Many systems, one cohort, the same budget, several seeds: what the comparison table is made from.

Every run keeps its own folder, so a comparison that was interrupted goes on where it stopped, on this
machine or on another that is given the folders.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from spine_fracture.configuration import Config, nearest
from spine_fracture.errors import InputError
from spine_fracture.evaluation.answers import Answers, Cost, read_answers, write_answers
from spine_fracture.evaluation.boxes import BoxAnswers, read_boxes, write_boxes
from spine_fracture.training.cohorts.folder import CohortFolder
from spine_fracture.training.systems.families import System, load_system
from spine_fracture.training.systems.family import Judged, with_settings

RECORD, ANSWERS, BOXES = "run.json", "answers.json", "boxes.json"
_NOWHERE: Mapping[str, CohortFolder] = MappingProxyType({})


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
    """The whole of ``configs/comparisons/*.yaml``. A key of a ``cohort`` stands for one cache, so radiographs
    have another than studies. ``budget`` has settings that all systems of a kind share; ``note`` is printed
    with the table.
    """

    name: str
    cohort: str
    seeds: tuple[Annotated[int, Field(ge=0)], ...]
    budget: dict[Literal["detector", "classifier"], dict[str, JsonValue]] = Field(default_factory=dict)
    entries: tuple[Entry, ...]
    note: str = ""

    @model_validator(mode="after")
    def _each_run_once(self) -> Self:
        names = [entry.name for entry in self.entries]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(
                f"entries share the name {', '.join(sorted(twice))}: give each a label of its own"
            )
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("a seed stands in seeds more than once: leave it there once")
        return self


class RunRecord(BaseModel):
    """What a run was, beside its answers. ``recipe`` is the digest of all its settings, ``cohort`` the key in
    the comparison, ``cohort_name`` the full name of the cache that it stood for, ``teaching`` how many of its
    patients the model learnt from, ``parameters`` how many numbers its weights have, running means included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    entry: str
    system: str
    family: str
    kind: str
    paper: str
    seed: int
    cohort: str
    cohort_name: str
    teaching: int
    recipe: str
    version: str
    parameters: int
    machine: str


@dataclass(frozen=True)
class Run:
    """One system, trained with one seed. ``folder`` may hold its result already; ``data`` is the cohort,
    where it is at hand.
    """

    entry: Entry
    system: System
    seed: int
    cohort: str
    folder: Path
    data: CohortFolder | None = None

    @property
    def recipe(self) -> str:
        """A digest of everything that decides what comes out, but the code."""
        text = f"{self.system.config.as_read.model_dump_json()}{self.seed}{self.cohort}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def done(self) -> bool:
        """Whether the folder holds the result of these settings, on this very cohort where it is at hand."""
        try:
            record = read_record(self.folder / RECORD)
        except InputError:  # none yet, or one that tells too little
            return False
        return record.recipe == self.recipe and (self.data is None or record.cohort_name in self.data.names)


@dataclass(frozen=True)
class RunResult:
    record: RunRecord
    answers: Answers | None
    boxes: BoxAnswers | None

    @property
    def cost(self) -> Cost | None:
        """What its training took; None where that was not kept."""
        return next((one.cost for one in (self.answers, self.boxes) if one is not None), None)


def require_known(comparison: Comparison, entries: Iterable[str], cohorts: Iterable[str]) -> None:
    """Raises :class:`InputError` for a name that no entry of the comparison has, or none of its cohorts."""
    named = {entry.name for entry in comparison.entries}
    keys = {comparison.cohort, *(entry.cohort for entry in comparison.entries if entry.cohort)}
    for what, given, known in (("entry", entries, named), ("cohort", cohorts, keys)):
        for name in given:
            if name not in known:
                near = nearest(name, sorted(known))
                remedy = f"did you mean {near}?" if near else f"it has {', '.join(sorted(known))}."
                raise InputError(f"The comparison {comparison.name} has no {what} {name}: {remedy}")


def planned(
    comparison: Comparison, results: Path, cohorts: Mapping[str, CohortFolder] = _NOWHERE
) -> Iterator[Run]:
    """All runs, seed by seed: after the first round every system has an answer. ``cohorts`` by their keys."""
    systems = [system_of(comparison, entry) for entry in comparison.entries]
    for seed in comparison.seeds:
        for entry, system in zip(comparison.entries, systems, strict=True):
            cohort, folder = entry.cohort or comparison.cohort, results / entry.name / str(seed)
            yield Run(entry, system, seed, cohort, folder, cohorts.get(cohort))


def system_of(comparison: Comparison, entry: Entry) -> System:
    """The entry's system with its own settings and those of the budget, if it reads them."""
    system = load_system(entry.system)
    shared, unread = comparison.budget.get(system.family.kind, {}), system.config.unread_on_cohorts
    budget = {key: value for key, value in shared.items() if key not in unread}
    return System(with_settings(system.config, {**budget, **entry.settings}), system.family)


def read_results(
    comparison: Comparison, results: Path, cohorts: Mapping[str, CohortFolder] = _NOWHERE
) -> tuple[RunResult, ...]:
    """The results of all runs that are done; raises :class:`InputError` where those of one key of a cohort
    are of different ones.
    """
    found = tuple(read_result(run.folder) for run in planned(comparison, results, cohorts) if run.done)
    by_key: dict[str, list[RunResult]] = defaultdict(list)
    for result in found:
        by_key[result.record.cohort].append(result)
    for key, group in by_key.items():
        require_one_cohort(group, f"The results of the cohort {key}")
    return found


def require_one_cohort(results: Iterable[RunResult], what: str) -> None:
    """Raises :class:`InputError` where the results, called ``what``, are of caches of different names."""
    entries: dict[str, set[str]] = defaultdict(set)
    for result in results:
        entries[result.record.cohort_name].add(result.record.entry)
    if len(entries) > 1:
        told = "; ".join(f"{name}: {', '.join(sorted(those))}" for name, those in sorted(entries.items()))
        raise InputError(
            f"{what} are of different cohorts ({told}): remove those of the wrong one, so that they are run "
            "again, or give entries on another cohort another key."
        )


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
    """Write the answers and boxes that there are into a folder, in place of those of another model."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (ANSWERS, BOXES):
        (folder / name).unlink(missing_ok=True)
    if judged.answers is not None:
        write_answers(judged.answers, folder / ANSWERS)
    if judged.boxes is not None:
        write_boxes(judged.boxes, folder / BOXES)
