"""A made-up model of any skill."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from made_up import LEVELS, answers_of, case

from spine_fracture.evaluation.answers import Answers, Part


@pytest.fixture(scope="session")
def model() -> Callable[..., Answers]:
    """Makes a model of some skill; all of them answer about the same patients, a third in each part."""

    def made(skill: float, *, seed: int = 0, patients: int = 120, system: str = "made-up") -> Answers:
        cohort, own = np.random.default_rng(99), np.random.default_rng(seed + 1)
        cases = []
        for number in range(patients):
            malignant = bool(cohort.random() < 0.4)
            for level in LEVELS[: 1 + number // 3 % 3]:
                logit = skill * (2 * malignant - 1) + own.normal(0, 1.5)
                cases.append(
                    case(
                        f"p{number}",
                        level,
                        float(1 / (1 + np.exp(-logit))),
                        malignant,
                        part=list(Part)[number % 3],
                        centre="ABC"[number % 3],
                        sex="FM"[number % 2],
                        age=45.0 + number % 40,
                        note="lung" if malignant and number % 2 else "",
                    )
                )
        return answers_of(cases, system=system, seed=seed)

    return made
