"""Why a level deserves a look, in a radiologist's words."""

from __future__ import annotations

from collections.abc import Sequence

from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis
from spine_fracture.configuration import Config
from spine_fracture.levels import Uncertainty

_WORDS = {
    Diagnosis.NORMAL: "normal",
    Diagnosis.BENIGN_FRACTURE: "benign fracture",
    Diagnosis.MALIGNANT: "malignant",
    Diagnosis.HEMANGIOMA: "hemangioma",
}


class ReasonThresholds(Config):
    """From which value on a part of the uncertainty is worth a sentence.

    ``equally_likely``: the second class is named beside the first when its probability is at least
    this share of the first's.
    """

    entropy: float = 0.5
    sequence_disagreement: float = 0.15
    detector_disagreement: float = 0.4
    detection: float = 0.5
    numbering: float = 0.5
    augmentation: float = 0.1
    equally_likely: float = 0.6


def reasons(
    uncertainty: Uncertainty, probabilities: Sequence[float], thresholds: ReasonThresholds | None = None
) -> tuple[str, ...]:
    """The parts above their thresholds as short phrases, the one furthest above first.

    ``probabilities`` follows MODEL_CLASSES. Empty when nothing is doubtful.
    """
    limits = thresholds or ReasonThresholds()
    phrases = (
        (
            uncertainty.entropy,
            limits.entropy,
            _undecided(probabilities, limits.equally_likely),
        ),
        (uncertainty.sequence_disagreement, limits.sequence_disagreement, "T1 and T2 disagree"),
        (
            uncertainty.detector_disagreement,
            limits.detector_disagreement,
            "detector and classifier disagree",
        ),
        (uncertainty.detection, limits.detection, "the vertebra was hard to find"),
        (uncertainty.numbering, limits.numbering, "numbering is unsure"),
        (
            uncertainty.augmentation,
            limits.augmentation,
            "the answer changes with small changes of the picture",
        ),
    )
    above = [((value - limit) / (1 - limit), phrase) for value, limit, phrase in phrases if value >= limit]
    return tuple(phrase for _, phrase in sorted(above, key=lambda pair: -pair[0]))


def _undecided(probabilities: Sequence[float], share: float) -> str:
    (first, most), (second, next_most), *_ = sorted(
        zip(MODEL_CLASSES, probabilities, strict=True), key=lambda pair: -pair[1]
    )
    if next_most >= share * most:
        named = sorted((first, second), key=MODEL_CLASSES.index)
        return f"{_WORDS[named[0]]} and {_WORDS[named[1]]} about equally likely"
    return f"{_WORDS[first]} is the most likely, but not clearly"
