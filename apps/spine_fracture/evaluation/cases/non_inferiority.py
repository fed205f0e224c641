"""Whether a model is not worse than another, and whether it gains less on one cohort than on another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spine_fracture.evaluation.cases.scores import Scores
from spine_fracture.evaluation.statistics.intervals import (
    Estimate,
    FloatArray,
    Resampling,
    drawn_auc,
    estimate,
)

#: How much AUC a model may lose and still be called not worse: a tenth of the way from guessing (0.5) to
#: knowing (1). The interval of a paired difference spans about as much to either side with 100 patients: a
#: smaller margin could not be shown on a cohort of this size. How such a margin is used: Chen, Petrick and
#: Sahiner 2012, Acad Radiol 19:1158.
MARGIN = 0.05


def is_not_worse(difference: Estimate, margin: float = MARGIN) -> bool:
    """Non-inferiority: the whole interval of new minus old lies above ``-margin`` (ICH E9, 3.3.2)."""
    return difference.low > -margin


@dataclass(frozen=True, eq=False)
class Matched:
    """The scores of two models on the same cases of one cohort."""

    weaker: Scores
    stronger: Scores

    @property
    def patients(self) -> frozenset[str]:
        return frozenset(case.patient for case in self.stronger.cases)


def change(before: Matched, after: Matched, how: Resampling) -> Estimate:
    """How much more AUC the stronger gains over the weaker on the cohort ``after`` than on ``before``.

    A patient of both cohorts, told by the same key, is drawn for both at once: their gains are alike, and
    taking them for independent would make the interval too wide. One of a single cohort counts in that.
    """
    everybody = sorted(before.patients | after.patients)
    gains = [_gain(cohort, everybody, how) for cohort in (before, after)]
    return estimate(gains[1] - gains[0], how.confidence)


def _gain(cohort: Matched, everybody: list[str], how: Resampling) -> FloatArray:
    """Drawn values of the difference in AUC, ``everybody`` being drawn."""
    places = {patient: at for at, patient in enumerate(everybody)}
    index = np.array([places[case.patient] for case in cohort.stronger.cases], dtype=np.int64)
    one, other = (
        drawn_auc(scores.score, scores.positive, index, how, patients=len(everybody))
        for scores in (cohort.weaker, cohort.stronger)
    )
    return np.asarray(other - one)
