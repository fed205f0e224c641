"""Reading ahead: the models read what nobody asked for yet, behind the requests."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from spine_fracture.errors import InputError, SpineFractureError
from spine_fracture.server.companion import Companion
from spine_fracture.server.readings import ModelPair, Pipeline, StudyReader
from spine_fracture.server.studies import Catalogue

_log = logging.getLogger(__name__)
#: A small folder is taken in before the first request; a large archive goes on behind the first requests.
PATIENCE_S = 20.0
#: New studies and new champions are noticed after so long at the latest.
LOOK_EVERY_S = 5.0


class ReadAhead:
    """Takes the studies in and reads them, one after the other, until it is closed.

    ``when_idle`` is what else may be done ahead: it says whether there was anything.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        reader: StudyReader,
        pipeline: Callable[[], Pipeline],
        when_idle: Callable[[], bool],
    ) -> None:
        self._catalogue = catalogue
        self._reader = reader
        self._pipeline = pipeline
        self._when_idle = when_idle
        self._aside: set[tuple[str, ModelPair]] = set()
        self._companion = Companion("reading ahead")

    def start(self) -> None:
        """Returns when the studies are in the catalogue, or after a while."""
        ready = threading.Event()
        self._companion.start(lambda: self._run(ready))
        ready.wait(PATIENCE_S)

    def close(self) -> None:
        self._companion.close()

    def one_more(self) -> bool:
        """Read a study that the serving models have not seen; False when there is none that they can read."""
        try:
            serving = self._pipeline().models
            unread = self._catalogue.unread(serving.detector, serving.classifier)
            return any(self._read(uid, serving) for uid in unread if (uid, serving) not in self._aside)
        except SpineFractureError as error:
            _log.warning("Reading ahead has paused: %s", error)
        except Exception as error:
            _log.error("Reading ahead has paused: %s", type(error).__name__)
        return False

    def _run(self, ready: threading.Event) -> None:
        try:
            self._catalogue.refresh()
            self._pipeline()
        except SpineFractureError as error:
            _log.error("The server starts without its studies or models: %s", error)
        except Exception as error:
            _log.error("The server starts without its studies or models: %s", type(error).__name__)
        finally:
            ready.set()
        closing = self._companion.closing
        while not closing.is_set():
            if not self.one_more() and not self._idle():
                closing.wait(LOOK_EVERY_S)

    def _idle(self) -> bool:
        try:
            return self._when_idle()
        except SpineFractureError as error:
            _log.warning("Looking at labelled levels has paused: %s", error)
        except Exception as error:
            _log.error("Looking at labelled levels has paused: %s", type(error).__name__)
        return False

    def _read(self, uid: str, serving: ModelPair) -> bool:
        """Whether this study was read; one on which our own code fails is put aside, and the others go on."""
        try:
            study = self._catalogue.find(uid)
            if self._reader.refused(study):
                return False
            self._reader.read(study)
        except InputError:
            return False  # the reader keeps the reason for those who ask
        except SpineFractureError:
            raise
        except Exception as error:
            _log.error("A study is put aside until the server or its models change: %s", type(error).__name__)
            self._aside.add((uid, serving))
            return False
        return True
