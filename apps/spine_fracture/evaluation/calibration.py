"""Do the probabilities mean what they say? Temperature scaling and how far off it leaves them.

Guo et al. 2017, On calibration of modern neural networks.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional
from torchmetrics.functional.classification import multiclass_calibration_error

from spine_fracture.errors import InputError

_BOUNDS = (0.05, 20.0)


def fit_temperature(logits: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """The one number to divide logits (n, classes) by that makes labels (n,) likeliest (L-BFGS).

    Kept within 0.05 and 20: logits without a single error would ask for zero.
    """
    answers, truth = _checked(logits, labels)
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
    logits: npt.ArrayLike, labels: npt.ArrayLike, temperature: float = 1.0, bins: int = 15
) -> float:
    """Mean gap, in [0, 1], between confidence and accuracy over equal bins of confidence."""
    answers, truth = _checked(logits, labels)
    probabilities = functional.softmax(answers / temperature, dim=1)
    return float(
        multiclass_calibration_error(
            probabilities, truth, num_classes=answers.shape[1], n_bins=bins, norm="l1"
        )
    )


def negative_log_likelihood(logits: npt.ArrayLike, labels: npt.ArrayLike, temperature: float = 1.0) -> float:
    """Mean over samples, natural log."""
    answers, truth = _checked(logits, labels)
    return float(functional.cross_entropy(answers / temperature, truth))


def _checked(logits: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[torch.Tensor, torch.Tensor]:
    answers = torch.as_tensor(np.asarray(logits, dtype=np.float64))
    truth = torch.as_tensor(np.asarray(labels, dtype=np.int64))
    if answers.ndim != 2 or truth.shape != answers.shape[:1] or not len(truth):
        raise InputError(
            f"Calibration needs logits (n, classes) and n labels, got {tuple(answers.shape)} and "
            f"{tuple(truth.shape)}."
        )
    return answers, truth
