"""The reading room: everything one running server holds, opened once and shared by all routes."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spine_fracture.cohort.project import Project, open_project
from spine_fracture.cohort.shown import note_study_shown
from spine_fracture.errors import InputError, SpineFractureError
from spine_fracture.levels import StudyReading
from spine_fracture.server.archive import Archive, Credentials
from spine_fracture.server.background import Background
from spine_fracture.server.champions import Champions
from spine_fracture.server.inference import Inference, InferOptions, ModelInference, ModelName
from spine_fracture.server.labels import FINAL, Labels
from spine_fracture.server.markups import from_markups
from spine_fracture.server.pictures import PictureCache
from spine_fracture.server.readings import ModelPair, Pipeline, StudyReader
from spine_fracture.server.reads import KeptScene, MarkedScene, ReadDesk, parse_reads
from spine_fracture.server.samples import next_sample
from spine_fracture.server.shelf import DatabaseShelf
from spine_fracture.server.sources import ArchiveSource, CatalogueSource, FolderSource, Source
from spine_fracture.server.studies import Catalogue, Study
from spine_fracture.server.training import Trainings
from spine_fracture.training.jobs import JobStore

_log = logging.getLogger(__name__)
#: A small folder is taken in before the first request; a large archive goes on behind the first requests.
PATIENCE_S = 20.0
#: New studies and new champions are noticed after so long at the latest.
LOOK_EVERY_S = 5.0
DEFAULT_CENTRE = "local"
_UNNAMED_READER = "unnamed"


@dataclass(frozen=True, eq=False)
class ReadingRoom:
    """Studies, models, pictures and records of one server. Safe to use from several threads."""

    project: Project
    source: Source
    catalogue: Catalogue
    pipeline: Callable[[], Pipeline]
    reader: StudyReader
    models: ModelInference
    pictures: PictureCache
    labels: Labels
    desk: ReadDesk
    trainings: Trainings
    batch: Background
    scoring: Background
    _aside: set[tuple[str, ModelPair]] = field(default_factory=set)
    _closing: threading.Event = field(default_factory=threading.Event)

    @property
    def report_folder(self) -> Path:
        return self.project.settings.results_folder

    def start(self) -> None:
        """Take the studies in and read them with the models, behind the requests."""
        self.trainings.recover()
        ready = threading.Event()
        threading.Thread(target=self._prepare, args=(ready,), name="reading ahead", daemon=True).start()
        ready.wait(PATIENCE_S)

    def close(self) -> None:
        self._closing.set()

    def labelled_images(self) -> frozenset[str]:
        """The image ids of studies with at least one standing read."""
        return self.catalogue.images_of(self.labels.labelled())

    def next_sample(self, strategy: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """The next level for a reader; the models read more studies when no level is left."""
        reader = _reader(params)
        sample, more = next_sample(self.project, strategy, reader), True
        while sample is None and more:
            # Asked again even when nothing was read: the reading ahead may just have stored a study.
            more = self._read_one_more()
            sample = next_sample(self.project, strategy, reader)
        return sample

    def infer(self, model: ModelName, image: str, params: Mapping[str, Any]) -> Inference:
        """What ``model`` says of the study with series ``image``; its reader is blind no more."""
        study = self.catalogue.find(image)
        result = self.models.infer(model, study, InferOptions.of(dict(params)))
        note_study_shown(self.project, study.uid, _reader(params))
        return result

    def save_label(self, image: str, data: bytes, params: Mapping[str, Any]) -> dict[str, Any]:
        """Store a Slicer scene or our read JSON as reads of the study with series ``image``.

        ``untouched`` counts the ROIs of a scene that say only what the models said (see :mod:`.reads`).
        """
        study = self.catalogue.find(image)
        shown = self.reader.read(study)  # the levels that reads belong to
        kept = self._store(study, shown, data, params)
        return {
            "image": study.image,
            "label": study.image,
            "tag": FINAL,
            "reads": [
                {"id": r.id, "level_id": r.level_id, "level": r.level, "diagnosis": r.diagnosis}
                for r in kept.reads
            ],
            "untouched": kept.untouched,
        }

    def _store(self, study: Study, shown: StudyReading, data: bytes, params: Mapping[str, Any]) -> KeptScene:
        reader = _reader(params)
        if b'"markups"' not in data:
            return KeptScene(self.desk.take(study.uid, reader, parse_reads(data)), 0)
        frame = self.catalogue.picture(study).frame
        scene = MarkedScene(from_markups(data), shown, study.image, frame)
        return self.desk.take_marked(scene, reader, _asked(params))

    def _prepare(self, ready: threading.Event) -> None:
        try:
            self.catalogue.refresh()
            self.pipeline()
        except SpineFractureError as error:
            _log.error("The server starts without its studies or models: %s", error)
        except Exception as error:
            _log.error("The server starts without its studies or models: %s", type(error).__name__)
        finally:
            ready.set()
        while not self._closing.is_set():
            if not self._read_one_more():
                self._closing.wait(LOOK_EVERY_S)

    def _read_one_more(self) -> bool:
        """Read a study that the serving models have not seen; False when there is none that they can read."""
        try:
            serving = self.pipeline().models
            unread = self.catalogue.unread(serving.detector, serving.classifier)
            return any(self._read_ahead(uid, serving) for uid in unread if (uid, serving) not in self._aside)
        except SpineFractureError as error:
            _log.warning("Reading ahead has paused: %s", error)
        except Exception as error:
            _log.error("Reading ahead has paused: %s", type(error).__name__)
        return False

    def _read_ahead(self, uid: str, serving: ModelPair) -> bool:
        """Whether this study was read; one on which our own code fails is put aside, and the others go on."""
        try:
            study = self.catalogue.find(uid)
            if self.reader.refused(study):
                return False
            self.reader.read(study)
        except InputError:
            return False  # the reader keeps the reason for those who ask
        except SpineFractureError:
            raise
        except Exception as error:
            _log.error("A study is put aside until the server or its models change: %s", type(error).__name__)
            self._aside.add((uid, serving))
            return False
        return True


def open_room(
    home: Path, studies: str | None, centre: str, pipeline: Callable[[], Pipeline] | None = None
) -> ReadingRoom:
    """A room over the project at ``home``.

    ``studies`` is a folder of DICOM or the http(s) address of an archive, taken in as ``centre``; None serves
    what is in the catalogue. ``pipeline`` stands in for the registry's champions.
    """
    project = open_project(home)
    source = source_of(project, studies, centre)
    catalogue = Catalogue(project, source)
    serving = pipeline or Champions(project)
    reader = StudyReader(catalogue, serving, DatabaseShelf(project))
    return ReadingRoom(
        project=project,
        source=source,
        catalogue=catalogue,
        pipeline=serving,
        reader=reader,
        models=ModelInference(catalogue, reader),
        pictures=PictureCache(project.settings.cache_folder / "images", catalogue),
        labels=Labels(project),
        desk=ReadDesk(project),
        trainings=Trainings(project, JobStore(project.settings.jobs_folder)),
        batch=Background("batch inference"),
        scoring=Background("scoring"),
    )


def source_of(project: Project, studies: str | None, centre: str) -> Source:
    """Where the studies are. The archive's user and password come from MONAI Label's own variables."""
    if studies is None:
        return CatalogueSource()
    if not studies.startswith(("http://", "https://")):
        return FolderSource(Path(studies).absolute(), centre)
    user = os.environ.get("MONAI_LABEL_DICOMWEB_USERNAME")
    password = os.environ.get("MONAI_LABEL_DICOMWEB_PASSWORD")
    credentials = Credentials(user, password) if user and password else None
    cache = project.settings.cache_folder / "archive"
    return ArchiveSource(Archive(studies.rstrip("/"), cache, credentials), centre)


def _reader(params: Mapping[str, Any]) -> str:
    """Who asks: our clients say ``reader``, MONAI Label's say ``client_id``."""
    return str(params.get("reader") or params.get("client_id") or _UNNAMED_READER)


def _asked(params: Mapping[str, Any]) -> frozenset[int]:
    """The levels that the reader says were read: ``level_id``, one or a list."""
    given = params.get("level_id", [])
    ids = given if isinstance(given, list) else [given]
    if not all(isinstance(one, int) for one in ids):
        raise InputError("level_id is the number of a level from the queue, or a list of such numbers.")
    return frozenset(ids)
