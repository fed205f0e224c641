"""The families of detectors: trained on a cohort's slices, and asked about the studies that do not teach."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from spine_fracture.detection.families import build_network
from spine_fracture.evaluation.answers import Part
from spine_fracture.training.cohorts.study_cache import StudyCache
from spine_fracture.training.detectors.answers import answer
from spine_fracture.training.detectors.cohort import JUDGES, TEACHES, cohort_pictures
from spine_fracture.training.detectors.config import DetectorConfig, manifest_of
from spine_fracture.training.detectors.task import BoxTask
from spine_fracture.training.systems.family import Family, Tell, Trained
from spine_fracture.training.systems.trained_bundle import fit_on_cohort, write_trained


def box_task(config: DetectorConfig, cohort: Path, seed: int) -> BoxTask:
    """The network and the pictures that it learns from, each equally often, and is stopped by."""
    pictures = cohort_pictures(config, cohort)
    torch.manual_seed(seed)
    network = build_network(config.family, config.architecture, len(config.task.classes), config.imagenet)
    teaches = np.array([source == TEACHES for source in pictures.sources], np.float64)
    judges = [at for at, source in enumerate(pictures.sources) if source == JUDGES]
    return BoxTask(network, pictures, teaches / teaches.sum(), judges, config)


def train(config: DetectorConfig, cohort: Path, out: Path, seed: int, tell: Tell) -> Trained:
    """Train from scratch on the slices of ``cohort``, keep the epoch of the best mAP50-95."""
    if config.without_effect:
        tell(f"{config.name}: {', '.join(config.without_effect)} have no effect on a cohort")
    fitted = fit_on_cohort(box_task(config, cohort, seed), config, cohort, out, seed, tell)
    labels = StudyCache(cohort / "studies").labels
    seen = {label.patient for label in labels if label.part in (None, Part.VALIDATION)}
    return write_trained(out, fitted.state, fitted.cost, manifest_of(config, seed, tuple(sorted(seen))))


YOLO = Family("yolo", "detector", DetectorConfig, train, answer, box_task)
RTDETR = Family("rtdetr", "detector", DetectorConfig, train, answer, box_task)
DETR = Family("detr", "detector", DetectorConfig, train, answer, box_task)
RETINANET = Family("retinanet", "detector", DetectorConfig, train, answer, box_task)
