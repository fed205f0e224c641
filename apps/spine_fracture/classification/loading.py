"""A bundle of any family as a model that answers about levels."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import cast

from spine_fracture.bundle import read_manifest
from spine_fracture.classification.model import LevelModel
from spine_fracture.classification.runtime import RuntimeName
from spine_fracture.errors import ModelFileError

#: By family: the module, imported when it is needed, and the class whose ``load`` takes a bundle's folder.
_LOADERS: Mapping[str, tuple[str, str]] = {
    "six_channel": ("classification.classifier", "LevelClassifier"),
    "yeh2022": ("classification.yeh2022", "FractureClassifier"),
    "whole_study": ("classification.whole_study_classifier", "WholeStudyClassifier"),
    "lumbar_pathology": ("classification.lumbar_pathology", "LumbarPathologyModel"),
    "hemangioma": ("classification.hemangioma", "HemangiomaModel"),
} | dict.fromkeys(("yolo", "rtdetr", "detr", "retinanet"), ("detection.lesion_detector", "LesionDetector"))


def load_level_model(folder: Path, runtime: RuntimeName = "openvino") -> LevelModel:
    """The model of this bundle; raises :class:`ModelFileError` for one that does not answer about levels.

    ``runtime`` is for those networks that OpenVINO can run; the others always run in PyTorch.
    """
    manifest = read_manifest(folder)
    if manifest.family not in _LOADERS:
        raise ModelFileError(
            f"{manifest.name} is a {manifest.family} model, which does not answer about levels of an MRI: "
            f"choose one of {', '.join(_LOADERS)}."
        )
    module, name = _LOADERS[manifest.family]
    kind = getattr(import_module(f"spine_fracture.{module}"), name)
    options = {"runtime": runtime} if "runtime" in signature(kind.load).parameters else {}
    return cast(LevelModel, kind.load(folder, **options))
