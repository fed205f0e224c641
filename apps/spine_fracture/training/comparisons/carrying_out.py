"""One run of a comparison: a model is trained, asked, and what it answered kept."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from spine_fracture.bundle import read_bundle, verified_manifest
from spine_fracture.errors import InputError, ModelFileError
from spine_fracture.evaluation.answers import QUESTIONS, Answers, Case, Cost
from spine_fracture.files import write_atomically
from spine_fracture.training.cohorts.folder import CohortFolder
from spine_fracture.training.comparisons.answering import answered
from spine_fracture.training.comparisons.comparison import RECORD, Run, RunRecord, RunResult, keep
from spine_fracture.training.systems.family import Judged, Tell

_COST = "cost.json"
#: Significant ones of the probabilities that are kept: sure answers differ in what is next to nothing.
_DIGITS = 6


def carry_out(run: Run, work: Path, machine: str, tell: Tell) -> RunResult:
    """Train, answer, and keep the result in the run's folder; the bundle stays in ``work``.

    A model of the same settings and cohort that is whole in ``work`` is asked and not trained again.
    """
    if (data := run.data) is None:
        raise InputError(f"{run.entry.name} needs the cohort {run.cohort}: name its folder.")
    about = hashlib.sha256(" ".join(data.names).encode()).hexdigest()[:8]
    out = work / run.entry.name / f"{run.seed}-{run.recipe}-{about}"
    cost = _trained(run, data, out, tell)
    judged = answered(run.system.family, out, data.path)
    manifest, state = read_bundle(out)
    one = judged.answers or judged.boxes
    if one is None or one.cohort not in data.names:
        raise InputError(f"The cohort in {data.path} was changed during the run: run it again.")
    record = RunRecord(
        entry=run.entry.name,
        system=run.system.name,
        family=run.system.family.name,
        kind=run.system.family.kind,
        paper=run.system.config.paper,
        seed=run.seed,
        cohort=run.cohort,
        cohort_name=one.cohort,
        teaching=len(data.teaching[one.cohort].intersection(manifest.training_patients)),
        recipe=run.recipe,
        version=manifest.version,
        parameters=sum(tensor.numel() for tensor in state.values()),
        machine=machine,
    )
    shutil.rmtree(run.folder, ignore_errors=True)
    answers = judged.answers and _asked(judged.answers.model_copy(update={"cost": cost}))
    boxes = judged.boxes and judged.boxes.model_copy(update={"cost": cost})
    keep(run.folder, Judged(answers, boxes))
    write_atomically(run.folder / RECORD, (record.model_dump_json(indent=1) + "\n").encode())
    for checkpoint in out.glob("*.pt"):  # of a training that was cut short after its bundle was whole
        checkpoint.unlink()
    return RunResult(record, answers, boxes)


def _trained(run: Run, data: CohortFolder, out: Path, tell: Tell) -> Cost | None:
    """What it took to train the model in ``out``, which is done now unless it is there; None where an
    interruption came before that was kept.
    """
    try:
        verified_manifest(out)
    except ModelFileError:
        trained = run.system.family.train(run.system.config, data.path, out, run.seed, tell)
        write_atomically(out / _COST, trained.cost.model_dump_json().encode())
        return trained.cost
    tell(f"{run.entry.name}: trained already, in {out}")
    return Cost.model_validate_json((out / _COST).read_bytes()) if (out / _COST).is_file() else None


def _asked(answers: Answers) -> Answers:
    """Only what the system's question is about, or any question where it answers with all classes, in a few
    digits: results are kept with the code.
    """

    def short(case: Case) -> Case:
        given = {"probabilities": case.probabilities, "alone": case.alone}
        return case.model_copy(
            update={k: tuple(float(f"{p:.{_DIGITS}g}") for p in v) for k, v in given.items()}
        )

    every = all(question.answerable(answers.classes) for question in QUESTIONS.values())
    questions = QUESTIONS.values() if every else (QUESTIONS[answers.question],)
    kept = [case for case in answers.cases if any(question.about(case) for question in questions)]
    parts = dict.fromkeys(case.part for case in kept)
    return answers.model_copy(
        update={"cases": tuple(short(case) for part in parts for case in kept if case.part is part)}
    )
