"""Reading a study with the models, once: what was read before with the same files and models is kept."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from spine_fracture.errors import BusyError, InputError
from spine_fracture.imaging import PairedStack, Sequence
from spine_fracture.levels import StudyReading
from spine_fracture.server.studies import Catalogue, Study

#: So many requests may wait for the models; more would leave no thread for anything else.
WAITING_ROOM = 16


@dataclass(frozen=True)
class ModelPair:
    """The versions of the two models that read a study."""

    detector: str
    classifier: str


class Pipeline(Protocol):
    """What reads a pair: the champions, or a stand-in in a test."""

    @property
    def models(self) -> ModelPair: ...
    @property
    def further(self) -> tuple[Sequence, ...]:
        """What it looks at beside T1 and T2, where a study has it."""
        ...

    def read(self, pair: PairedStack, study_uid: str) -> StudyReading: ...


class Shelf(Protocol):
    """Where readings are kept between requests and restarts."""

    def find(self, study: Study, models: ModelPair) -> StudyReading | None: ...

    def keep(self, study: Study, models: ModelPair, reading: StudyReading) -> None: ...

    def refuse(self, study: Study, why: str) -> None:
        """Note why the models could not read it."""


class StudyReader:
    """Reads one study at a time, each only once for the same files and models."""

    def __init__(self, catalogue: Catalogue, pipeline: Callable[[], Pipeline], shelf: Shelf) -> None:
        self._catalogue = catalogue
        self._pipeline = pipeline
        self._shelf = shelf
        self._places = threading.BoundedSemaphore(WAITING_ROOM)
        self._network = threading.Lock()
        self._studies: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._refusals: dict[tuple[str, str, ModelPair], InputError] = {}

    def read(self, study: Study) -> StudyReading:
        """All levels of ``study``.

        Raises an :class:`InputError` when it cannot be read, or the models cannot be trusted with it, and
        :class:`BusyError` when too many requests wait already.
        """
        pipeline = self._pipeline()
        kept = self._known(study, pipeline.models)
        if kept is not None:
            return kept
        with self._place(), self._studies[study.uid]:
            kept = self._known(study, pipeline.models)
            if kept is not None:
                return kept
            try:
                pair = self._catalogue.pair(study, pipeline.further)
                with self._network:
                    reading = pipeline.read(pair, study.uid)
            except InputError as error:
                self._refusals[_key(study, pipeline.models)] = error
                self._shelf.refuse(study, str(error))
                raise
            self._shelf.keep(study, pipeline.models, reading)
            # Given back as it is kept: what readers drew, removed or renamed stays so.
            return self._shelf.find(study, pipeline.models) or reading

    def refused(self, study: Study) -> bool:
        """Whether the study, as it is now, could not be read by these models."""
        return _key(study, self._pipeline().models) in self._refusals

    def _known(self, study: Study, models: ModelPair) -> StudyReading | None:
        refusal = self._refusals.get(_key(study, models))
        if refusal is not None:
            raise type(refusal)(str(refusal))
        return self._shelf.find(study, models)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise BusyError("The models are busy with other studies: ask again in a few seconds.")
        try:
            yield
        finally:
            self._places.release()


def _key(study: Study, models: ModelPair) -> tuple[str, str, ModelPair]:
    return study.uid, study.fingerprint, models
