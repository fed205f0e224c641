"""The champion of a task, as it is asked for: loaded once, and again after a promotion."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Generic, TypeVar

from spine_fracture.cohort.project import Project
from spine_fracture.errors import NotFoundError
from spine_fracture.promotion import has_champion, open_registry
from spine_fracture.registry import Registry

M = TypeVar("M")


class Served(Generic[M]):
    """Gives the champion of ``task`` as ``load`` makes it of a bundle. Safe to call from several threads."""

    def __init__(self, project: Project, task: str, load: Callable[[Path], M]) -> None:
        self._project = project
        self._task = task
        self._load = load
        self._loaded: tuple[str, M] | None = None
        self._refused: tuple[str, str] | None = None
        self._loading = threading.Lock()

    def is_there(self) -> bool:
        """Whether a model was promoted for the task; quick, and true of shipped ones once one was asked."""
        with self._project.session() as session:
            return has_champion(session, self._task)

    def __call__(self) -> M:
        """Raises :class:`NotFoundError`, which says what to do, while no model was promoted, or one that
        ``load`` refuses: it is not looked at again until another one is.
        """
        with self._loading:
            serving = self._registry.serving(self._task)
            if self._refused is not None and serving is not None and self._refused[0] == serving.name:
                raise NotFoundError(self._refused[1])
            if self._loaded is None or serving is None or self._loaded[0] != serving.name:
                champion = self._registry.champion(self._task)
                try:
                    self._loaded = champion.name, self._load(champion.folder)
                except NotFoundError as error:
                    self._refused = champion.name, str(error)
                    raise
            return self._loaded[1]

    @cached_property
    def _registry(self) -> Registry:
        return open_registry(self._project)
