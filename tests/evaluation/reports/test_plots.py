"""What the curves of a report show, read from the pictures."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable

from made_up import answers_of, case

from spine_fracture.anatomy import Level
from spine_fracture.evaluation.answers import Answers
from spine_fracture.evaluation.cases.judging import judge
from spine_fracture.evaluation.reports.plots import COLOURS, Plot, decision_plot, roc_plot
from spine_fracture.evaluation.statistics.intervals import Resampling


def _drawn(plot: Plot) -> str:
    return base64.b64decode(plot.picture.split(",", 1)[1]).decode()


def test_the_roc_of_a_guess_is_the_diagonal() -> None:
    """As its AUC of a half is, and no way round a corner."""
    cases = [case(f"p{n}", Level.L1, 0.5, n % 2 == 1) for n in range(8)]
    (result, _) = judge(answers_of(cases), resampling=Resampling(draws=20))
    assert result.auc is not None and result.auc.value == 0.5
    lines = re.findall(
        rf'<path d="([^"]*)"[^>]*fill: none; stroke: {COLOURS[0]}', _drawn(roc_plot([("guess", result)]))
    )
    assert [line.count("L") for line in lines[:1]] == [1]


def test_each_decision_curve_stands_beside_treating_everybody_of_its_own(
    model: Callable[..., Answers],
) -> None:
    results = judge(model(1.5), resampling=Resampling(draws=20))
    plot = decision_plot([(f"{result.part}, {result.unit}", result) for result in results])
    dashed = set(re.findall(r"stroke-dasharray[^\"]*stroke: (#[0-9a-f]{6})", _drawn(plot)))
    assert len(results) == 4 and {*COLOURS[:4]} <= dashed
