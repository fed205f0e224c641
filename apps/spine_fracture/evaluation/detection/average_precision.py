"""Mean average precision of COCO, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from spine_fracture.evaluation.boxes import BoxAnswer
from spine_fracture.evaluation.detection.matching import OVERLAPS, Matches
from spine_fracture.evaluation.statistics.intervals import (
    Estimate,
    FloatArray,
    Resampling,
    estimate,
    patient_weights,
)

#: Each draw is a whole evaluation, so fewer are made than of other figures.
DRAWS = 500
#: COCO reads precision at these recalls.
_RECALLS = np.linspace(0, 1, 101)
_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class MeanPrecision:
    """Over the labels of the reference, at overlaps of 0.5 to 0.95 and at 0.5 alone."""

    map50_95: float
    map50: float


def mean_average_precision(
    pictures: Sequence[tuple[Sequence[BoxAnswer], Sequence[BoxAnswer]]],
) -> MeanPrecision:
    """Of pictures with predicted and reference boxes each, by faster-coco-eval."""
    from torchmetrics.detection import MeanAveragePrecision

    names = sorted({box.label for boxes in pictures for side in boxes for box in side})
    numbers = {name: number for number, name in enumerate(names)}
    # By itself the metric takes both from single precision, so that a recall of 0.55 does not reach 0.55.
    metric = MeanAveragePrecision(
        iou_thresholds=list(OVERLAPS), rec_thresholds=_RECALLS.tolist(), backend="faster_coco_eval"
    )
    metric.update(
        [_tensors(predicted, numbers, scored=True) for predicted, _ in pictures],
        [_tensors(reference, numbers, scored=False) for _, reference in pictures],
    )
    result = metric.compute()
    return MeanPrecision(float(result["map"]), float(result["map_50"]))


def precision_intervals(matches: Matches, value: MeanPrecision, how: Resampling) -> tuple[Estimate, Estimate]:
    """The intervals of ``value``, both figures, by bootstrap over patients."""
    drawn = drawn_precision(matches, replace(how, draws=min(how.draws, DRAWS)))
    all_overlaps, half = (estimate(values, how.confidence) for values in (drawn.mean(axis=0), drawn[0]))
    return replace(all_overlaps, value=value.map50_95), replace(half, value=value.map50)


def drawn_precision(matches: Matches, how: Resampling) -> FloatArray:
    """Drawn values of the mean average precision at each overlap, (overlaps, 1 + draws).

    A picture that is drawn twice counts twice; a label that a draw lacks is left out of its mean.
    """
    weights = patient_weights(len(matches.pictures), how)
    wanted = weights @ matches.wanted
    by_label = np.full((matches.wanted.shape[1], len(matches.hits), len(weights)), np.nan)
    for label in range(matches.wanted.shape[1]):
        at = np.flatnonzero(matches.label == label)
        at = at[np.argsort(-matches.score[at], kind="stable")]
        rows = max(1, _AT_ONCE // max(len(at), 1))
        for first in range(0, len(weights), rows):
            drawn = slice(first, first + rows)
            drawn_boxes = weights[drawn][:, matches.patient[at]]
            for overlap, hits in enumerate(matches.hits[:, at]):
                by_label[label, overlap, drawn] = _precision(drawn_boxes, hits, wanted[drawn, label])
    there = ~np.isnan(by_label)
    total = np.where(there, by_label, 0).sum(axis=0)
    return np.asarray(
        np.divide(total, there.sum(axis=0), out=np.full_like(total, np.nan), where=there.any(axis=0))
    )


def _precision(weights: FloatArray, hits: FloatArray, wanted: FloatArray) -> FloatArray:
    """Average precision (draws,) of boxes in falling order of score, weighed (draws, boxes)."""
    if not len(hits):
        return np.where(wanted > 0, 0.0, np.nan)
    right, all_boxes = np.cumsum(weights * hits, axis=1), np.cumsum(weights, axis=1)
    precision = np.divide(right, all_boxes, out=np.zeros_like(right), where=all_boxes > 0)
    best_from_here = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = np.divide(right, wanted[:, None], out=np.full_like(right, np.nan), where=wanted[:, None] > 0)
    # Each box gives its precision to the recalls that are reached with it and not before.
    reached = np.searchsorted(_RECALLS, recall, side="right")
    gained = (best_from_here * np.diff(reached, axis=1, prepend=0)).sum(axis=1)
    return np.where(wanted > 0, gained / len(_RECALLS), np.nan)


def _tensors(boxes: Sequence[BoxAnswer], numbers: dict[str, int], *, scored: bool) -> dict[str, torch.Tensor]:
    tensors = {
        "boxes": torch.tensor([box.box for box in boxes], dtype=torch.float64).reshape(-1, 4),
        "labels": torch.tensor([numbers[box.label] for box in boxes], dtype=torch.int64),
    }
    if scored:
        tensors["scores"] = torch.tensor([box.score for box in boxes], dtype=torch.float64)
    return tensors
