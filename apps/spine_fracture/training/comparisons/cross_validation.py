"""Any system over folds of a cohort, and what the models answered to the patients that they never saw.

Each fold sees the cohort through a folder of its own, in which the patients are divided otherwise and the
pixels are shared. A fold that is done is not done again. Its models are for judging a way to train; none of
them is to be served, for together they have seen everybody.

What a family takes from models that are not trained here stays as it is in every fold: the trees of
``lumbar_pathology`` see how surely the shipped detector finds a box, and that has learnt from real patients
of the open lumbar set. Where these are judged, its figures may be too good.
"""

from __future__ import annotations

import hashlib
import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from spine_fracture.anatomy import Diagnosis
from spine_fracture.errors import InputError
from spine_fracture.evaluation.answers import Answers, Part, together
from spine_fracture.evaluation.boxes import BoxAnswers
from spine_fracture.evaluation.folds import Fold, centre_folds, patient_folds
from spine_fracture.training.cohorts.cases import gravest
from spine_fracture.training.cohorts.folder import CohortFolder, caches_in
from spine_fracture.training.cohorts.radiograph_cache import RadiographCache, RadiographLabel
from spine_fracture.training.cohorts.study_cache import StudyCache, StudyLabel
from spine_fracture.training.comparisons.carrying_out import carry_out
from spine_fracture.training.comparisons.comparison import Entry, Run, RunResult, read_result
from spine_fracture.training.systems.families import System
from spine_fracture.training.systems.family import Judged, Tell

L = TypeVar("L", StudyLabel, RadiographLabel)
#: Nobody is external to a fold: who takes no part in any is not answered about.
_KEPT = (Part.VALIDATION, Part.TEST)


def folds_by_patient(cohort: Path, count: int, seed: int) -> tuple[Fold, ...]:
    """``count`` stratified folds of all patients but those of external centres, who take no part.

    Where there are studies and radiographs, the patients of either are as even over the folds as those of
    the other, and who has both is on one side in both.
    """
    caches = caches_in(cohort)
    outside = {label.patient for cache in caches for label in cache.labels if label.external}
    found = {patient: kind for patient, kind in _classes(caches).items() if patient not in outside}
    return patient_folds(found, count, seed)


def folds_by_centre(cohort: Path, seed: int) -> tuple[Fold, ...]:
    """One fold a centre, external ones too. Raises :class:`InputError` for a patient of two centres, who
    would teach for one that is left out.
    """
    caches, centres = caches_in(cohort), dict[str, str]()
    for label in (label for cache in caches for label in cache.labels):
        if centres.setdefault(label.patient, label.centre) != label.centre:
            raise InputError(
                f"Patient {label.patient} is of the centres {centres[label.patient]} and {label.centre}: "
                "correct the cohort, or divide it by patient."
            )
    return centre_folds(_classes(caches), centres, seed)


def cross_validate(
    system: System,
    cohort: Path,
    folds: Sequence[Fold],
    seed: int,
    results: Path,
    work: Path,
    machine: str,
    tell: Tell,
) -> Judged:
    """Train and ask one model a fold; the answers to all test patients, joined, as part ``test``, and those
    to each fold's validation patients, who fix the threshold of its model.

    Each fold's result is kept in ``results``, so that a second call goes on; bundles, checkpoints and the
    folds' views of the cohort are in ``work``. Raises :class:`InputError` where a patient is judged in two
    folds.
    """
    _require_judged_once(folds)
    names, done, seen_as = [cache.name for cache in caches_in(cohort)], list[RunResult](), dict[str, str]()
    for number, fold in enumerate(folds):
        digest = hashlib.sha256(repr([fold.name, *map(sorted, (fold.validation, fold.test))]).encode())
        tag = f"{fold.name}-{digest.hexdigest()[:8]}"
        seen_as |= {f"{name}-{tag}": name for name in names}
        name = f"{' and '.join(dict.fromkeys(names))}-{tag}"
        run = Run(Entry(system=system.name, label=fold.name), system, seed, name, results / fold.name)
        if not run.done:
            tell(f"{system.name}: {fold.name}, {number + 1} of {len(folds)}")
            view = work / "views" / name
            write_view(cohort, view, tag, fold)
            carry_out(replace(run, data=CohortFolder.open(view)), work, machine, tell)
            shutil.rmtree(view)  # and the caches that were made in it
        done.append(read_result(run.folder))
    return joined(done, seen_as[done[0].record.cohort_name])


def write_view(cohort: Path, view: Path, tag: str, fold: Fold) -> None:
    """Make ``view`` a cohort's folder with the patients of ``cohort`` divided as in ``fold``, its name
    followed by ``tag``.

    Whoever takes no part in the fold stays on the side where they were.
    """
    if (cohort / "studies").is_dir():
        studies = StudyCache(cohort / "studies")
        divided = [_divided(label, fold) for label in studies.labels]
        studies.relabel(view / "studies", f"{studies.name}-{tag}", divided)
    if (cohort / "radiographs").is_dir():
        pictures = RadiographCache(cohort / "radiographs")
        pictures.relabel(
            view / "radiographs",
            f"{pictures.name}-{tag}",
            [_divided(label, fold) for label in pictures.labels],
        )


def joined(results: Sequence[RunResult], cohort: str) -> Judged:
    """The answers of all folds to their test and validation cases. The version names all models, the cost is
    their sum.

    A patient who is judged in one fold may be for validation in others, where another model answered: each
    fold's threshold is fixed by its own, or a centre that is left out would have a say in how it is judged.

    The figures that each model kept are dropped: they are AUCs and shares of the few patients of a fold, some
    at a threshold of its own, and no figure of all patients can be made of them.
    """
    answers = [result.answers for result in results if result.answers is not None]
    boxes = [result.boxes for result in results if result.boxes is not None]
    cases = tuple(
        case.model_copy(update={"fold": result.record.entry})
        for result in results
        for case in (result.answers.cases if result.answers else ())
        if case.part in _KEPT
    )
    pictures = tuple(
        picture.model_copy(update={"fold": result.record.entry})
        for result in results
        for picture in (result.boxes.pictures if result.boxes else ())
        if picture.part in _KEPT
    )
    return Judged(
        answers[0].model_copy(update=_together(answers, cohort) | {"cases": cases, "figures": {}})
        if answers
        else None,
        boxes[0].model_copy(update=_together(boxes, cohort) | {"pictures": pictures}) if boxes else None,
    )


def _together(parts: Sequence[Answers] | Sequence[BoxAnswers], cohort: str) -> dict[str, object]:
    return {"version": _version(parts), "cohort": cohort, "cost": together([part.cost for part in parts])}


def _version(parts: Sequence[Answers] | Sequence[BoxAnswers]) -> str:
    joint = hashlib.sha256("".join(part.version for part in parts).encode()).hexdigest()
    return f"{parts[0].system}-{len(parts)}-folds-{joint[:12]}"


def _divided(label: L, fold: Fold) -> L:
    split = fold.split_of(label.patient)
    return label if split is None else label.model_copy(update={"split": split, "external": False})


def _require_judged_once(folds: Sequence[Fold]) -> None:
    judged: dict[str, str] = {}
    for fold in folds:
        for patient in sorted(fold.test):
            if patient in judged:
                raise InputError(
                    f"Patient {patient} is judged in {judged[patient]} and in {fold.name}, and would count "
                    "twice: let each patient be of one fold's test patients."
                )
            judged[patient] = fold.name


def _classes(caches: Sequence[StudyCache | RadiographCache]) -> dict[str, str]:
    """By patient, the gravest that each of the caches says that they have, in any of their studies."""
    found: dict[str, str] = {}
    for cache in caches:
        kind = "studies" if isinstance(cache, StudyCache) else "radiographs"
        present: dict[str, set[Diagnosis]] = defaultdict(set)
        for label in cache.labels:
            present[label.patient] |= _diagnoses(label)
        for patient, diagnoses in present.items():
            found[patient] = f"{found.get(patient, '')} {kind}: {gravest(diagnoses)}".strip()
    return found


def _diagnoses(label: StudyLabel | RadiographLabel) -> set[Diagnosis]:
    if isinstance(label, StudyLabel):
        return {level.diagnosis for level in label.levels}
    return {label.diagnosis}
