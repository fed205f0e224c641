"""What a radiograph model's single views are worth, beside its joined answers."""

from __future__ import annotations

import numpy as np

from spine_fracture.evaluation.answers import Answers, Part
from spine_fracture.evaluation.cases.scores import Unit, unit_scores
from spine_fracture.evaluation.cases.thresholds import youden
from spine_fracture.evaluation.statistics.delong import delong
from spine_fracture.radiography import View


def view_figures(view: View, answers: Answers) -> dict[str, float]:
    """AUC and sensitivity, with and without a visible sign, of the answers to one view.

    Keys such as ``test lateral sensitivity, no sign``. The threshold is fixed on the validation patients; a
    figure that nobody is there for is left out.
    """
    threshold = youden(unit_scores(answers, Part.VALIDATION, Unit.PATIENT)).value
    found: dict[str, float] = {}
    for part in (Part.TEST, Part.EXTERNAL):
        scores = unit_scores(answers, part, Unit.PATIENT)
        if 2 <= scores.positives <= len(scores) - 2:
            found[f"{part} {view} AUC"] = delong(scores.score, scores.positive).value
        notes = np.array([case.note for case in scores.cases], dtype=object)
        for note in ("sign", "no sign"):
            chosen = scores.positive & (notes == note)
            if chosen.any():
                share = float((scores.score[chosen] >= threshold).mean())
                found[f"{part} {view} sensitivity, {note}"] = share
    return found
