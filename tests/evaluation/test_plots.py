"""What the curves of a report show, read from the pictures."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable

from spine_fracture.evaluation.answers import Answers
from spine_fracture.evaluation.judging import judge
from spine_fracture.evaluation.plots import COLOURS, decision_plot
from spine_fracture.evaluation.statistics import Resampling


def test_each_decision_curve_stands_beside_treating_everybody_of_its_own(
    model: Callable[..., Answers],
) -> None:
    results = judge(model(1.5), resampling=Resampling(draws=20))
    plot = decision_plot([(f"{result.part}, {result.unit}", result) for result in results])
    drawn = base64.b64decode(plot.picture.split(",", 1)[1]).decode()
    dashed = set(re.findall(r"stroke-dasharray[^\"]*stroke: (#[0-9a-f]{6})", drawn))
    assert len(results) == 4 and {*COLOURS[:4]} <= dashed
