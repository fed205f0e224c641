"""Whether a model is not worse than another, and whether it gains less on one cohort than on another."""

from __future__ import annotations

import numpy as np

from spine_fracture.evaluation.statistics import Estimate

#: How much AUC a model may lose and still be called not worse: a tenth of the way from guessing (0.5) to
#: knowing (1). The interval of a paired difference spans about as much to either side with 100 patients: a
#: smaller margin could not be shown on a cohort of this size. How such a margin is used: Chen, Petrick and
#: Sahiner 2012, Acad Radiol 19:1158.
MARGIN = 0.05


def is_not_worse(difference: Estimate, margin: float = MARGIN) -> bool:
    """Non-inferiority: the whole interval of new minus old lies above ``-margin`` (ICH E9, 3.3.2)."""
    return difference.low > -margin


def change(before: Estimate, after: Estimate) -> Estimate:
    """``after - before`` of two figures about different patients, from their own intervals.

    The method of variance estimates recovery (Zou and Donner 2008, Stat Med 27:1693): each limit is as far
    from the difference as the two limits that it comes from, squared and added, are from theirs.
    """
    value = after.value - before.value
    down = np.hypot(after.value - after.low, before.high - before.value)
    up = np.hypot(after.high - after.value, before.value - before.low)
    return Estimate(value, float(value - down), float(value + up), min(before.confidence, after.confidence))
