"""Why a level deserves a look, in a radiologist's words."""

from __future__ import annotations

from collections.abc import Sequence

from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis
from spine_fracture.levels import Uncertainty

_WORDS = {
    Diagnosis.NORMAL: "normal",
    Diagnosis.BENIGN_FRACTURE: "benign fracture",
    Diagnosis.MALIGNANT: "malignant",
    Diagnosis.HEMANGIOMA: "hemangioma",
}


#: The second class is named beside the first when its probability is at least this share of the first's.
_EQUALLY_LIKELY = 0.6


def reasons(uncertainty: Uncertainty, probabilities: Sequence[float]) -> tuple[str, ...]:
    """The parts that are worth a sentence as short phrases, the one furthest above its limit first.

    ``probabilities`` follows MODEL_CLASSES. Empty when nothing is doubtful.
    """
    phrases = (
        (uncertainty.entropy, 0.5, _undecided(probabilities)),
        (uncertainty.sequence_disagreement, 0.15, "T1 and T2 disagree"),
        (uncertainty.detector_disagreement, 0.4, "detector and classifier disagree"),
        (uncertainty.detection, 0.5, "the vertebra was hard to find"),
        (uncertainty.numbering, 0.5, "numbering is unsure"),
        (uncertainty.augmentation, 0.1, "the answer changes with small changes of the picture"),
    )
    above = [((value - limit) / (1 - limit), phrase) for value, limit, phrase in phrases if value >= limit]
    return tuple(phrase for _, phrase in sorted(above, key=lambda pair: -pair[0]))


def _undecided(probabilities: Sequence[float]) -> str:
    (first, most), (second, next_most), *_ = sorted(
        zip(MODEL_CLASSES, probabilities, strict=True), key=lambda pair: -pair[1]
    )
    if next_most >= _EQUALLY_LIKELY * most:
        named = sorted((first, second), key=MODEL_CLASSES.index)
        return f"{_WORDS[named[0]]} and {_WORDS[named[1]]} about equally likely"
    return f"{_WORDS[first]} is the most likely, but not clearly"
