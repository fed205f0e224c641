"""The models that serve: the registry's champions, loaded once, and again when others were promoted."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from functools import cached_property

from spine_fracture.cohort.project import Project
from spine_fracture.imaging import PairedStack, Sequence
from spine_fracture.levels import StudyReading
from spine_fracture.pipeline import ReadingPipeline
from spine_fracture.promotion import open_registry
from spine_fracture.registry import Registry
from spine_fracture.server.readings import ModelPair

#: A promotion is noticed after so long at the latest.
_LOOK_EVERY_S = 2.0


@dataclass(frozen=True, eq=False)
class ServingPipeline:
    """A pipeline and the names of its models."""

    pipeline: ReadingPipeline
    models: ModelPair

    @property
    def further(self) -> tuple[Sequence, ...]:
        return self.pipeline.further

    def read(self, pair: PairedStack, study_uid: str) -> StudyReading:
        return self.pipeline.read(pair, study_uid)


class Champions:
    """Gives the pipeline of the two champions. Safe to call from several threads.

    While a newly promoted model is loaded, the one before it goes on answering.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._serving: ServingPipeline | None = None
        self._looked = 0.0
        self._loading = threading.Lock()

    def __call__(self) -> ServingPipeline:
        serving = self._serving
        if serving is not None and time.monotonic() - self._looked < _LOOK_EVERY_S:
            return serving
        if not self._loading.acquire(blocking=serving is None):
            assert serving is not None
            return serving
        try:
            self._serving = self._current(self._serving)
            self._looked = time.monotonic()
            return self._serving
        finally:
            self._loading.release()

    def _current(self, serving: ServingPipeline | None) -> ServingPipeline:
        registry = self._registry
        detector, classifier = registry.champion("detection"), registry.champion("classification")
        models = ModelPair(detector.name, classifier.name)
        if serving is not None and serving.models == models:
            return serving
        return ServingPipeline(ReadingPipeline.load(detector.folder, classifier.folder), models)

    @cached_property
    def _registry(self) -> Registry:
        return open_registry(self._project)
