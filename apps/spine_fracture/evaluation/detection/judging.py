"""A detector's boxes judged: every part but validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spine_fracture.evaluation.answers import BoolArray, Part
from spine_fracture.evaluation.boxes import BoxAnswers, PictureAnswer
from spine_fracture.evaluation.cases.judging import JUDGED
from spine_fracture.evaluation.cases.thresholds import MIDDLE, Threshold, of_folds
from spine_fracture.evaluation.detection.average_precision import mean_average_precision, precision_intervals
from spine_fracture.evaluation.detection.froc import FrocPoint, froc
from spine_fracture.evaluation.detection.matching import Matches, match, reference_labels
from spine_fracture.evaluation.statistics.intervals import (
    Estimate,
    FloatArray,
    Resampling,
    drawn_sums,
    estimate,
)
from spine_fracture.evaluation.statistics.shares import ratio, share

LEVELS = "levels"


@dataclass(frozen=True)
class DetectionResult:
    """How boxes were found in one part; intervals by bootstrap over patients.

    ``precision``, ``recall`` and ``f1`` count boxes of the right label at an overlap of 0.5, from
    the threshold on. ``studies_right`` is the share of patients all of whose levels were found and
    rightly named, each on at least half of the pictures that show it; None where labels are no levels.
    ``precision`` and ``f1`` are None where nothing was called. Of a cross-validation as many ``models`` as
    there are folds answered, and their scores are pooled in the average precision and in ``froc``.
    """

    part: Part
    task: str
    pictures: int
    patients: int
    boxes: int
    models: int
    threshold: Threshold
    map50_95: Estimate
    map50: Estimate
    precision: Estimate | None
    recall: Estimate
    f1: Estimate | None
    froc: tuple[FrocPoint, ...]
    studies_right: Estimate | None


def judge_boxes(
    answers: BoxAnswers, *, threshold: Threshold | None = None, resampling: Resampling | None = None
) -> tuple[DetectionResult, ...]:
    """One result for each part that has reference boxes of two patients.

    ``threshold`` where one is prescribed; else the one with the best F1 on validation.
    """
    how = resampling or Resampling()
    cut = threshold or _fixed(answers)
    results = []
    for part in JUDGED:
        pictures = answers.of(part)
        if len({picture.patient for picture in pictures if picture.reference}) >= 2:
            results.append(_judge_part(pictures, part, answers.task, cut, how))
    return tuple(results)


def _fixed(answers: BoxAnswers) -> Threshold:
    """Where F1 is best on validation, of each fold for itself."""
    parts = answers.by_fold() or {"": answers}
    return of_folds({name: best_f1(match(part.of(Part.VALIDATION))) for name, part in parts.items()})


def best_f1(validation: Matches) -> Threshold:
    """The threshold that gives the best F1, halfway to the next lower score."""
    if not validation.found.any():
        return Threshold(MIDDLE, f"{MIDDLE} (no box was rightly found on validation)")
    order = np.argsort(-validation.score, kind="stable")
    score = validation.score[order]
    f1 = 2 * np.cumsum(validation.found[order]) / (np.arange(1, len(score) + 1) + validation.wanted.sum())
    ends = np.flatnonzero(np.diff(score, append=-np.inf))
    at = ends[int(f1[ends].argmax())]
    below = score[at + 1] if at + 1 < len(score) else 0.0
    return Threshold(
        float((score[at] + below) / 2), f"best F1 on {int(validation.pictures.sum())} validation pictures"
    )


def _judge_part(
    pictures: Sequence[PictureAnswer], part: Part, task: str, cut: Threshold, how: Resampling
) -> DetectionResult:
    matches, labels = match(pictures), reference_labels(pictures)
    value = mean_average_precision(
        [([box for box in p.predicted if box.label in labels], p.reference) for p in pictures]
    )
    map50_95, map50 = precision_intervals(matches, value, how)
    called = matches.score >= np.array([cut.at(picture.fold) for picture in pictures])[matches.picture]
    patients = len(matches.pictures)
    calls = np.bincount(matches.patient[called], minlength=patients).astype(np.float64)
    hits = np.bincount(matches.patient[called & matches.found], minlength=patients).astype(np.float64)
    wanted = matches.wanted.sum(axis=1)
    recall = share(hits, wanted, how)
    assert recall is not None  # there are reference boxes
    return DetectionResult(
        part=part,
        task=task,
        pictures=len(pictures),
        patients=patients,
        boxes=int(wanted.sum()),
        models=len({picture.fold for picture in pictures}),
        threshold=cut,
        map50_95=map50_95,
        map50=map50,
        precision=share(hits, calls, how),
        recall=recall,
        f1=_f1(hits, calls, wanted, how),
        froc=froc(matches, how),
        studies_right=_studies_right(matches, called, how) if task == LEVELS else None,
    )


def _f1(hits: FloatArray, calls: FloatArray, wanted: FloatArray, how: Resampling) -> Estimate | None:
    if not calls.any():
        return None
    sums = drawn_sums(np.stack([2 * hits, calls + wanted], axis=1), how)
    return estimate(ratio(sums[:, 0], sums[:, 1]), how.confidence)


def _studies_right(matches: Matches, called: BoolArray, how: Resampling) -> Estimate | None:
    right = called & matches.found
    found = np.zeros_like(matches.wanted)
    np.add.at(found, (matches.patient[right], matches.label[right]), 1.0)
    has_any = matches.wanted.any(axis=1)
    named = (2 * found >= matches.wanted).all(axis=1) & has_any
    return share(named.astype(np.float64), has_any.astype(np.float64), how)
