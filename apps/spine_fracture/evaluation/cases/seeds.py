"""One system trained with several seeds: joined to one answer, and how much the seed matters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spine_fracture.errors import InputError
from spine_fracture.evaluation.answers import Answers, Case, Part
from spine_fracture.evaluation.cases.scores import Unit, unit_scores
from spine_fracture.evaluation.statistics.metrics import auc


@dataclass(frozen=True)
class SeedSpread:
    """The AUC of each seed; ``sd`` is the sample standard deviation, None for a single seed."""

    seeds: tuple[int, ...]
    aucs: tuple[float, ...]

    @property
    def mean(self) -> float:
        return float(np.mean(self.aucs))

    @property
    def sd(self) -> float | None:
        return float(np.std(self.aucs, ddof=1)) if len(self.aucs) > 1 else None


def over_seeds(runs: Sequence[Answers], *, unit: Unit = Unit.PATIENT) -> SeedSpread | None:
    """How the AUC on the test part differs between runs; None where the cases are all of one kind."""
    areas = []
    for run in runs:
        scores = unit_scores(run, Part.TEST, unit)
        areas.append(auc(scores.score, scores.positive) if len(scores) else None)
    known = [area for area in areas if area is not None]
    if not known or len(known) != len(areas):
        return None
    return SeedSpread(tuple(run.seed for run in runs), tuple(known))


def joined(runs: Sequence[Answers]) -> Answers:
    """One answer of several runs: the mean probabilities of each case.

    The runs must be of one system and have answered the same cases. Named after the first run.
    """
    first = runs[0]
    if any((run.system, run.classes) != (first.system, first.classes) for run in runs):
        raise InputError("Only runs of one system can be joined over seeds.")
    if any(
        [_identity(case) for case in run.cases] != [_identity(case) for case in first.cases] for run in runs
    ):
        raise InputError(f"The runs of {first.system} answered different cases: judge them on one cohort.")
    alike = zip(*(run.cases for run in runs), strict=True)
    versions = ", ".join(run.version for run in runs)
    return first.model_copy(
        update={"version": versions, "cases": tuple(map(_mean, alike)), "cost": None, "figures": {}}
    )


def _mean(cases: Sequence[Case]) -> Case:
    """One case, with the mean of what several runs said of it."""
    seen, alone = [case.probabilities for case in cases], [case.alone for case in cases]
    means = {"probabilities": _means(seen), "alone": _means(alone) if all(alone) else ()}
    return cases[0].model_copy(update=means)


def _means(rows: Sequence[Sequence[float]]) -> tuple[float, ...]:
    return tuple(sum(column) / len(rows) for column in zip(*rows, strict=True))


def _identity(case: Case) -> Case:
    return case.model_copy(update={"probabilities": (), "alone": ()})
