"""Validation patients of one class say nothing of telling two apart, and no epoch is chosen by them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pydantic import JsonValue

from spine_fracture.anatomy import Diagnosis
from spine_fracture.evaluation.answers import Part
from spine_fracture.training.cohorts.study_cache import CachedStudy, StudyCache, StudyCacheWriter
from spine_fracture.training.systems.families import load_system
from spine_fracture.training.systems.family import with_settings

SMALL_CROPS: dict[str, JsonValue] = {"network.trunk": "resnet10", "network.width": 4, "network.size": 32}


@pytest.mark.parametrize(
    ("name", "settings", "only"),
    [
        ("hemangioma_t1", {"network.size": 32}, Diagnosis.HEMANGIOMA),
        (
            "lumbar_pathology",
            {"network.trunk": "convnext_atto", "network.size": 32, "network.sequences": ["T1"]},
            Diagnosis.NORMAL,
        ),
        ("yeh2022", {"network.trunk": "resnet10", "network.size": 32}, Diagnosis.BENIGN_FRACTURE),
        ("six_channel", SMALL_CROPS, Diagnosis.NORMAL),
        ("whole_study", {**SMALL_CROPS, "network.features": 32, "network.heads": 2}, Diagnosis.NORMAL),
    ],
)
def test_one_class_alone_chooses_no_epoch(
    name: str, settings: dict[str, JsonValue], only: Diagnosis, small_cohort: Path, tmp_path: Path
) -> None:
    system = load_system(name)
    config = with_settings(system.config, settings)
    with StudyCacheWriter(tmp_path / "studies", "one-sided") as writer:
        for study in StudyCache(small_cohort / "studies"):
            label = study.label
            if label.part is Part.VALIDATION:
                kept = tuple(level for level in label.levels if level.diagnosis is only)
                label = label.model_copy(update={"levels": kept})
            writer.add(CachedStudy(label, study.pixels))
    assert system.family.task is not None
    losses = []
    for cohort in (small_cohort, tmp_path):
        task = system.family.task(config, cohort, 1)
        with torch.inference_mode():
            losses.append(task.validation_loss(task.network.eval(), torch.device("cpu")))
    assert losses[0] is not None and losses[1] is None
