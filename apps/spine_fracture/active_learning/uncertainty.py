"""How unsure the models are of a level: pure functions of their numbers.

Every part lies in [0, 1]. Predictive entropy is the steadiest single signal (nnActive, Luth et al.
2025); the others add what one network cannot say of itself.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from spine_fracture.active_learning.reasons import reasons
from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis
from spine_fracture.configuration import Config
from spine_fracture.errors import InputError
from spine_fracture.levels import Uncertainty

FloatArray = npt.NDArray[np.float64]


class Opinion(Protocol):
    """What the classifier says of a level; probabilities follow MODEL_CLASSES and sum to 1.

    ``t1_only`` and ``t2_only`` are None where the study lacks that sequence or the classifier gives no
    answer to one alone.
    ``augmentation_spread`` is the largest total variation distance, in [0, 1], to views of test-time
    augmentation.
    """

    @property
    def probabilities(self) -> Sequence[float]: ...
    @property
    def t1_only(self) -> Sequence[float] | None: ...
    @property
    def t2_only(self) -> Sequence[float] | None: ...
    @property
    def augmentation_spread(self) -> float: ...


class UncertaintyWeights(Config):
    """How much each part counts in the combined score."""

    entropy: float = 1.0
    sequence_disagreement: float = 0.5
    detector_disagreement: float = 0.5
    detection: float = 0.25
    numbering: float = 0.25
    augmentation: float = 0.5


def normalised_entropy(probabilities: npt.ArrayLike) -> float:
    """Shannon entropy over the log of the number of classes: 0 certain, 1 uniform."""
    p = _distribution(probabilities)
    return float(_entropy(p) / np.log(p.size))


def jensen_shannon(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Jensen-Shannon divergence in bits, in [0, 1] (Lin 1991, IEEE Trans. Inf. Theory 37:145)."""
    p, q = _distribution(first), _distribution(second)
    divergence = _entropy((p + q) / 2) - (_entropy(p) + _entropy(q)) / 2
    return _unit(divergence / np.log(2))


def measure(
    opinion: Opinion,
    *,
    taught: Collection[Diagnosis],
    detector_abnormal: float,
    detection_score: float,
    numbering_sure: bool,
) -> Uncertainty:
    """All parts for one level. Without both sequences nothing is said of their disagreement.

    ``taught`` are the classes that the classifier tells apart: it is as unsure as can be when these are
    equally likely. One that was not taught what is normal calls nothing normal, whatever it is shown: it
    cannot disagree with the detector.
    """
    both = opinion.t1_only is not None and opinion.t2_only is not None
    known = {
        diagnosis: share
        for diagnosis, share in zip(MODEL_CLASSES, opinion.probabilities, strict=True)
        if diagnosis in taught
    }
    normal = known.get(Diagnosis.NORMAL)
    return Uncertainty(
        entropy=normalised_entropy(list(known.values())),
        sequence_disagreement=(
            jensen_shannon(np.asarray(opinion.t1_only), np.asarray(opinion.t2_only)) if both else 0.0
        ),
        detector_disagreement=0.0 if normal is None else _unit(abs(detector_abnormal - (1.0 - normal))),
        detection=_unit(1.0 - detection_score),
        numbering=0.0 if numbering_sure else 1.0,
        augmentation=_unit(opinion.augmentation_spread),
    )


def combined(uncertainty: Uncertainty, weights: UncertaintyWeights | None = None) -> float:
    """The weighted mean of the parts, in [0, 1]: what the queue ranks by."""
    given: dict[str, float] = dict(weights or UncertaintyWeights())
    total = sum(given.values())
    if total <= 0 or min(given.values()) < 0:
        raise InputError("The weights of the uncertainty must be zero or more, with at least one above zero.")
    return float(sum(weight * getattr(uncertainty, part) for part, weight in given.items()) / total)


def score_level(
    opinion: Opinion,
    *,
    taught: Collection[Diagnosis],
    detector_abnormal: float,
    detection_score: float,
    numbering_sure: bool,
) -> tuple[Uncertainty, tuple[str, ...]]:
    """The uncertainty of a level and its reasons in words, the strongest first."""
    uncertainty = measure(
        opinion,
        taught=taught,
        detector_abnormal=detector_abnormal,
        detection_score=detection_score,
        numbering_sure=numbering_sure,
    )
    return uncertainty, reasons(uncertainty, opinion.probabilities)


def _distribution(values: npt.ArrayLike) -> FloatArray:
    p = np.asarray(values, dtype=np.float64)
    if p.ndim != 1 or p.size < 2 or not np.isfinite(p).all() or (p < 0).any() or p.sum() <= 0:
        raise InputError(
            f"Probabilities must be two or more finite numbers of zero or above, got {values!r}."
        )
    return np.asarray(p / p.sum())


def _entropy(p: FloatArray) -> float:
    positive = p[p > 0]
    return float(-(positive * np.log(positive)).sum())


def _unit(value: float) -> float:
    return float(np.clip(value, 0.0, 1.0))
