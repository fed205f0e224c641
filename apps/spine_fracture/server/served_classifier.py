"""The champion as a network that can say why, beside the one that serves in another runtime."""

from __future__ import annotations

from pathlib import Path

from spine_fracture.bundle import read_manifest
from spine_fracture.classification.attention import AttentiveClassifier
from spine_fracture.cohort.project import Project
from spine_fracture.errors import NotFoundError
from spine_fracture.server.served import Served


def served_classifier(project: Project) -> Served[AttentiveClassifier]:
    return Served(project, "classification", _load)


def _load(folder: Path) -> AttentiveClassifier:
    manifest = read_manifest(folder)
    if manifest.family != "six_channel":
        raise NotFoundError(
            f"The serving model {manifest.version} is a {manifest.family}: where it looked and which levels "
            "are alike, can be shown for six_channel models alone."
        )
    return AttentiveClassifier.load(folder)
