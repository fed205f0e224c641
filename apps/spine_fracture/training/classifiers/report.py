"""How well a classifier tells simulated findings apart, level by level."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from torch import nn

from spine_fracture.anatomy import MODEL_CLASSES
from spine_fracture.classification.classifier import join_slices, softmax
from spine_fracture.classification.sixchannel import SixChannelConfig
from spine_fracture.evaluation.statistics.calibration import expected_calibration_error
from spine_fracture.evaluation.statistics.metrics import auc, class_scores, confusion, macro_f1
from spine_fracture.training.classifiers.cache import SOURCES, CropCache
from spine_fracture.training.classifiers.loop import cache_logits
from spine_fracture.training.classifiers.sampler import Index


@dataclass(frozen=True, eq=False)
class SampleAnswers:
    """Uncalibrated answers (n, classes) to samples, with label, level and source of each (n,).

    ``alone`` are the answers to T1 alone and to T2 alone.
    """

    logits: npt.NDArray[np.float64]
    alone: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
    labels: npt.NDArray[np.int64]
    levels: npt.NDArray[np.int64]
    sources: npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LevelScores:
    """Calibrated probabilities (levels, classes), label and source of each level."""

    probabilities: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]
    sources: npt.NDArray[np.int64]


def level_answers(
    network: nn.Module, cache: CropCache, index: Index, config: SixChannelConfig
) -> SampleAnswers:
    """What ``network`` answers to these samples, and to T1 and T2 of each alone."""
    return SampleAnswers(
        cache_logits(network, cache, index, config),
        (cache_logits(network, cache, index, config, 1), cache_logits(network, cache, index, config, 0)),
        cache.column("label")[index],
        cache.column("level")[index],
        cache.column("source")[index],
    )


def joined_levels(answers: SampleAnswers, join: str, temperature: float) -> LevelScores:
    """The slices of each level joined as the served classifier joins them."""
    _, first, inverse = np.unique(answers.levels, return_index=True, return_inverse=True)
    probabilities = softmax(answers.logits / temperature)
    joined = np.stack([join_slices(probabilities[inverse == level], join) for level in range(len(first))])
    return LevelScores(joined, answers.labels[first], answers.sources[first])


def cache_metrics(
    answers: SampleAnswers, config: SixChannelConfig, temperature: float, prefix: str
) -> dict[str, float]:
    """Flat numbers for a manifest: ``<prefix>.<source>.<metric>[.<class>]``, sources that are there."""
    scores = joined_levels(answers, config.join, temperature)
    numbers = {
        f"{prefix}.ece_before": expected_calibration_error(answers.logits, answers.labels),
        f"{prefix}.ece_after": expected_calibration_error(answers.logits, answers.labels, temperature),
    }
    for name, logits in zip(("t1_alone", "t2_alone"), answers.alone, strict=True):
        alone = joined_levels(replace(answers, logits=logits), config.join, temperature)
        area = auc(1 - alone.probabilities[:, 0], alone.labels != 0)
        if area is not None:
            numbers[f"{prefix}.auc.abnormal.{name}"] = area
    answered = scores.probabilities.argmax(axis=1)
    together = confusion(scores.labels, answered, len(MODEL_CLASSES))
    for truth, row in zip(MODEL_CLASSES, together, strict=True):
        numbers |= {
            f"{prefix}.confusion.{truth}.{answer}": float(n)
            for answer, n in zip(MODEL_CLASSES, row, strict=True)
        }
    for source in sorted(set(scores.sources.tolist())):
        of_source = scores.sources == source
        name = f"{prefix}.{SOURCES[source]}"
        probabilities, labels = scores.probabilities[of_source], scores.labels[of_source]
        matrix = confusion(labels, answered[of_source], len(MODEL_CLASSES))
        numbers[f"{name}.levels"] = float(len(labels))
        numbers[f"{name}.macro_f1"] = float(macro_f1(matrix))
        abnormal = auc(1 - probabilities[:, 0], labels != 0)
        if abnormal is not None:
            numbers[f"{name}.auc.abnormal"] = abnormal
        for index, score in enumerate(class_scores(matrix, MODEL_CLASSES)):
            area = auc(probabilities[:, index], labels == index)
            if area is not None:
                numbers[f"{name}.auc.{score.name}"] = area
            if score.f1 is not None:
                numbers[f"{name}.f1.{score.name}"] = score.f1
    return numbers
