"""How well classes are told apart. Confusion matrices are indexed (..., truth, answer)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spine_fracture.errors import InputError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ClassScore:
    """One class against the rest. A ratio with nothing below the line is None, never a number."""

    name: str
    levels: int
    sensitivity: float | None
    specificity: float | None
    precision: float | None
    f1: float | None


def confusion(truth: npt.ArrayLike, answer: npt.ArrayLike, classes: int) -> IntArray:
    """Counts of shape (classes, classes) from two equally long lists of class indices."""
    t, a = np.asarray(truth, dtype=np.int64), np.asarray(answer, dtype=np.int64)
    if t.shape != a.shape or t.ndim != 1:
        raise InputError(f"Truth and answers must be equally long lists, got {t.shape} and {a.shape}.")
    if t.size and not (min(t.min(), a.min()) >= 0 and max(t.max(), a.max()) < classes):
        raise InputError(f"Class indices must lie in 0..{classes - 1}.")
    return np.bincount(t * classes + a, minlength=classes * classes).reshape(classes, classes)


def macro_f1(matrix: npt.ArrayLike) -> FloatArray:
    """Mean F1 over the classes that occur in the truth; shape (...,) of matrices (..., k, k).

    A class that the truth lacks has no F1 of its own; answers that name it still cost the class
    they should have named. NaN for an empty matrix.
    """
    m = np.asarray(matrix, dtype=np.float64)
    hits = np.diagonal(m, axis1=-2, axis2=-1)
    in_truth, in_answer = m.sum(axis=-1), m.sum(axis=-2)
    occurs = in_truth > 0
    f1 = np.divide(2 * hits, in_truth + in_answer, out=np.zeros_like(hits), where=occurs)
    count = occurs.sum(axis=-1)
    return np.asarray(np.divide(f1.sum(axis=-1), count, out=np.full(count.shape, np.nan), where=count > 0))


def class_scores(matrix: npt.ArrayLike, names: Sequence[str]) -> tuple[ClassScore, ...]:
    """Sensitivity, specificity, precision and F1 of each class of a (k, k) matrix."""
    m = np.asarray(matrix, dtype=np.float64)
    total = m.sum()
    scores = []
    for index, name in enumerate(names):
        hits = m[index, index]
        truth, answered = m[index].sum(), m[:, index].sum()
        scores.append(
            ClassScore(
                name=name,
                levels=int(truth),
                sensitivity=_ratio(hits, truth),
                specificity=_ratio(total - truth - answered + hits, total - truth),
                precision=_ratio(hits, answered),
                f1=_ratio(2 * hits, truth + answered),
            )
        )
    return tuple(scores)


def auc(score: npt.ArrayLike, positive: npt.ArrayLike) -> float | None:
    """Area under the ROC curve, ties counting half; None unless both kinds are there."""
    from sklearn.metrics import roc_auc_score

    labels = np.asarray(positive, dtype=bool)
    if labels.all() or not labels.any():
        return None
    return float(roc_auc_score(labels, np.asarray(score, dtype=np.float64)))


def _ratio(part: float, whole: float) -> float | None:
    return float(part / whole) if whole > 0 else None
