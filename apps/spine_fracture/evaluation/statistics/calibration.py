"""Do the probabilities mean what they say? Temperature scaling and how far off it leaves them.

Guo et al. 2017, On calibration of modern neural networks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from spine_fracture.errors import InputError

_BOUNDS = (0.05, 20.0)
#: Of a reliability curve, and of the confidence of several classes.
BINS, CONFIDENCE_BINS = 10, 15


@dataclass(frozen=True)
class BinOfScores:
    """A point of a reliability curve: of ``cases`` with the mean score ``predicted``, the share
    ``observed`` was positive.
    """

    predicted: float
    observed: float
    cases: int


def reliability(score: npt.ArrayLike, positive: npt.ArrayLike) -> tuple[tuple[BinOfScores, ...], float]:
    """The curve over equal bins of the score of being positive, empty ones left out, and its ECE.

    The expected calibration error is the mean over cases of the gap of their bin, in [0, 1].
    """
    scores, labels = np.asarray(score, dtype=np.float64), np.asarray(positive, dtype=np.float64)
    which = np.clip((scores * BINS).astype(np.int64), 0, BINS - 1)
    cases = np.bincount(which, minlength=BINS)
    predicted, observed = (np.bincount(which, weights=of, minlength=BINS) for of in (scores, labels))
    points = tuple(
        BinOfScores(float(p / n), float(o / n), int(n))
        for p, o, n in zip(predicted, observed, cases, strict=True)
        if n
    )
    return points, float(np.abs(predicted - observed).sum() / len(scores))


def fit_temperature(logits: npt.ArrayLike, labels: npt.ArrayLike, otherwise: float = 1.0) -> float:
    """The one number to divide logits (n, classes) by that makes labels (n,) likeliest (L-BFGS).

    Kept within 0.05 and 20: logits without a single error would ask for zero. ``otherwise`` where all labels
    are of one class, which would ask to be as sure of it as can be.
    """
    answers, truth = _checked(logits, labels)
    if np.unique(labels).size < 2:
        return otherwise
    log_temperature = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([log_temperature], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = functional.cross_entropy(answers / log_temperature.exp(), truth)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return float(np.clip(np.exp(log_temperature.item()), *_BOUNDS))


def expected_calibration_error(
    logits: npt.ArrayLike, labels: npt.ArrayLike, temperature: float = 1.0
) -> float:
    """Mean gap, in [0, 1], between confidence and accuracy over equal bins of confidence."""
    from torchmetrics.functional.classification import multiclass_calibration_error  # takes seconds

    answers, truth = _checked(logits, labels)
    probabilities = functional.softmax(answers / temperature, dim=1)
    return float(
        multiclass_calibration_error(
            probabilities, truth, num_classes=answers.shape[1], n_bins=CONFIDENCE_BINS, norm="l1"
        )
    )


def _checked(logits: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[torch.Tensor, torch.Tensor]:
    answers = torch.as_tensor(np.asarray(logits, dtype=np.float64))
    truth = torch.as_tensor(np.asarray(labels, dtype=np.int64))
    if answers.ndim != 2 or truth.shape != answers.shape[:1] or not len(truth):
        raise InputError(
            f"Calibration needs logits (n, classes) and n labels, got {tuple(answers.shape)} and "
            f"{tuple(truth.shape)}."
        )
    return answers, truth
