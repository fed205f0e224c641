"""The champion as a network that can say why, beside the one that serves in another runtime."""

from __future__ import annotations

import threading

from spine_fracture.classification.attention import AttentiveClassifier
from spine_fracture.cohort.project import Project
from spine_fracture.errors import NotFoundError
from spine_fracture.promotion import open_registry
from spine_fracture.registry import Registry


class ServedClassifier:
    """Loaded when first asked for, and again after a promotion. Safe to call from several threads."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._registry: Registry | None = None
        self._network: AttentiveClassifier | None = None
        self._loading = threading.Lock()

    def __call__(self) -> AttentiveClassifier:
        with self._loading:
            self._registry = self._registry or open_registry(self._project)
            champion = self._registry.champion("classification")
            if champion.manifest.family != "six_channel":
                raise NotFoundError(
                    f"The serving model {champion.name} is a {champion.manifest.family}: where it looked and "
                    "which levels are alike, can be shown for six_channel models alone."
                )
            if self._network is None or self._network.version != champion.name:
                self._network = AttentiveClassifier.load(champion.folder)
            return self._network
