"""What a model answered, however it is named: its bundle, a registered model, or answers kept earlier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from spine_fracture.bundle import MANIFEST, read_manifest
from spine_fracture.errors import InputError, NotFoundError
from spine_fracture.evaluation.answers import Answers, read_answers, together
from spine_fracture.evaluation.boxes import BoxAnswers, read_boxes
from spine_fracture.evaluation.cases.seeds import joined
from spine_fracture.training.cohorts.folder import CohortFolder
from spine_fracture.training.comparisons.answering import answered
from spine_fracture.training.comparisons.comparison import (
    ANSWERS,
    BOXES,
    RECORD,
    RunResult,
    read_result,
    require_one_cohort,
)
from spine_fracture.training.systems.families import family_named
from spine_fracture.training.systems.family import Tell

#: The bundle of the registered model of this name; raises :class:`NotFoundError` where there is none.
Registered = Callable[[str], Path]


@dataclass(frozen=True)
class JudgedModel:
    """One model, or a system joined over its ``seeds``; ``boxes`` are then those of the first seed."""

    name: str
    version: str
    family: str
    paper: str
    seeds: tuple[int, ...]
    cohort: str
    answers: Answers | None
    boxes: BoxAnswers | None


def judged_model(named: str, cohort: Path | None, registered: Registered, tell: Tell) -> JudgedModel:
    """The answers of the model that ``named`` stands for.

    A bundle's folder or the name of a registered model answers ``cohort`` now. A run's folder, an entry's
    with a run for each seed, or a file of answers or boxes tells of what was answered earlier; where a
    ``cohort`` is given, that must have been the one.
    """
    path = Path(named)
    runs = [path, *sorted(path.glob("*"))] if path.is_dir() else []
    runs = [folder for folder in runs if (folder / RECORD).is_file()]
    if (path / MANIFEST).is_file():
        model = _asked(path, cohort, tell)
    elif runs:
        model = _of_runs([read_result(folder) for folder in runs])
    elif path.is_file():
        model = _of_files(*_either(path))
    elif (path / ANSWERS).is_file() or (path / BOXES).is_file():
        model = _of_files(
            read_answers(path / ANSWERS) if (path / ANSWERS).is_file() else None,
            read_boxes(path / BOXES) if (path / BOXES).is_file() else None,
        )
    elif path.is_dir():
        raise InputError(
            f"{path} holds neither a model ({MANIFEST}) nor the answers of one ({ANSWERS}): train one with "
            "`spine-fracture train system`."
        )
    else:
        model = _asked(_registered(named, registered), cohort, tell)
    if cohort is not None and model.cohort not in (names := CohortFolder.open(cohort).names):
        raise InputError(
            f"{model.name} was judged on the cohort {model.cohort}, not on {' or '.join(names)}: give that "
            "cohort with --cohort, or the folder of the model itself, so that it can answer this one."
        )
    return model


def _registered(name: str, registered: Registered) -> Path:
    try:
        return registered(name)
    except NotFoundError:
        raise InputError(
            f"{name} is no folder of a model or of its answers, and no registered model: "
            "`spine-fracture models list` shows those."
        ) from None


def _asked(bundle: Path, cohort: Path | None, tell: Tell) -> JudgedModel:
    manifest = read_manifest(bundle)
    if cohort is None:
        raise InputError(f"{manifest.name} has answered nothing yet: say with --cohort what to judge it on.")
    names, family = CohortFolder.open(cohort).names, family_named(manifest.family)
    tell(f"{manifest.version} answers {' and '.join(names)}")
    judged = answered(family, bundle, cohort)
    return JudgedModel(
        manifest.name,
        manifest.version,
        manifest.family,
        str(manifest.config.get("paper", "")),
        (manifest.seed,),
        _cohort_of(judged.answers, judged.boxes),
        judged.answers,
        judged.boxes,
    )


def _of_runs(runs: Sequence[RunResult]) -> JudgedModel:
    """Runs of one entry, under its name."""
    first = runs[0].record
    require_one_cohort(runs, f"The runs of {first.entry}")
    given = [run.answers for run in runs if run.answers is not None]
    boxes = next((run.boxes for run in runs if run.boxes is not None), None)
    cost = {"cost": together([run.cost for run in runs])}
    answers = joined(given).model_copy(update={"system": first.entry, **cost}) if given else None
    boxes = boxes and boxes.model_copy(update=cost)
    return JudgedModel(
        first.entry,
        ", ".join(run.record.version for run in runs),
        first.family,
        first.paper,
        tuple(run.record.seed for run in runs),
        _cohort_of(answers, boxes),
        answers,
        boxes,
    )


def _of_files(answers: Answers | None, boxes: BoxAnswers | None) -> JudgedModel:
    one = answers or boxes
    assert one is not None
    return JudgedModel(one.system, one.version, "", "", (one.seed,), one.cohort, answers, boxes)


def _either(path: Path) -> tuple[Answers | None, BoxAnswers | None]:
    """A file holds answers or boxes."""
    try:
        return read_answers(path), None
    except InputError:
        return None, read_boxes(path)


def _cohort_of(answers: Answers | None, boxes: BoxAnswers | None) -> str:
    one = answers or boxes
    return "" if one is None else one.cohort
