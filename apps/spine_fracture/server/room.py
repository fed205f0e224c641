"""The reading room: everything one running server holds, opened once and shared by all routes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spine_fracture.cohort.people import Role
from spine_fracture.cohort.project import Project, open_project
from spine_fracture.cohort.protocol import ProtocolConfig, load_protocol
from spine_fracture.cohort.shown import note_study_shown
from spine_fracture.cohort.studies import find_study
from spine_fracture.errors import InputError
from spine_fracture.levels import StudyReading
from spine_fracture.server.ahead import ReadAhead
from spine_fracture.server.archive import Archive, Credentials
from spine_fracture.server.auth import Principal, reader_of
from spine_fracture.server.background import Background
from spine_fracture.server.champions import Champions
from spine_fracture.server.explain import Explainer
from spine_fracture.server.inference import Inference, InferOptions, ModelInference, ModelName
from spine_fracture.server.labels import FINAL, Labels
from spine_fracture.server.markups import from_markups
from spine_fracture.server.patient_models import PatientModels
from spine_fracture.server.pictures import PictureCache
from spine_fracture.server.read_forms import parse_reads
from spine_fracture.server.readings import Pipeline, StudyReader
from spine_fracture.server.reads import KeptScene, MarkedScene, ReadDesk
from spine_fracture.server.reports.desk import ReportDesk
from spine_fracture.server.review.desk import ReviewDesk
from spine_fracture.server.review.rights import not_blind, not_locked
from spine_fracture.server.samples import Samples
from spine_fracture.server.shelf import DatabaseShelf
from spine_fracture.server.sources import ArchiveSource, CatalogueSource, FolderSource, Source
from spine_fracture.server.studies import Catalogue, Study, without_pass
from spine_fracture.server.training import Trainings
from spine_fracture.training.jobs import JobStore

DEFAULT_CENTRE = "local"


@dataclass(frozen=True, eq=False)
class ReadingRoom:
    """Studies, models, pictures and records of one server. Safe to use from several threads."""

    project: Project
    source: Source
    catalogue: Catalogue
    pipeline: Callable[[], Pipeline]
    reader: StudyReader
    models: ModelInference
    patient_models: PatientModels
    pictures: PictureCache
    labels: Labels
    desk: ReadDesk
    trainings: Trainings
    batch: Background
    scoring: Background
    protocol: ProtocolConfig
    ahead: ReadAhead
    samples: Samples
    review: ReviewDesk
    reports: ReportDesk

    @property
    def report_folder(self) -> Path:
        return self.project.settings.results_folder

    def start(self) -> None:
        """Take the studies in and read them with the models, behind the requests."""
        self.trainings.recover()
        self.ahead.start()
        self.reports.start()

    def close(self) -> None:
        self.ahead.close()
        self.batch.close()
        self.scoring.close()
        self.reports.close()

    def labelled_images(self) -> frozenset[str]:
        """The image ids of studies with at least one standing read."""
        return self.catalogue.images_of(self.labels.labelled())

    def next_sample(self, who: Principal, strategy: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """The next level for a reader; the models read more studies when no level is left."""
        who.needs(Role.READER, Role.SERVICE)
        return self.samples.next(strategy, reader_of(who, params))

    def infer(self, who: Principal, model: ModelName, image: str, params: Mapping[str, Any]) -> Inference:
        """What ``model`` says of the study with series ``image``; its reader is blind no more.

        Raises :class:`BlindedError` for a blinded reader, and for a patient that never trains.
        """
        who.needs(Role.READER, Role.ADJUDICATOR, Role.ENGINEER, Role.SERVICE)
        reader = reader_of(who, params)
        study = self.catalogue.study_uid(image)
        with self.project.session() as session:
            not_blind(session, reader)
            not_locked(who, find_study(session, study).patient.split)
        result = self._infer(model, study, without_pass(image), InferOptions.of(dict(params)))
        note_study_shown(self.project, study, reader)
        return result

    def _infer(self, model: ModelName, study: str, image: str, options: InferOptions) -> Inference:
        match model:
            case ModelName.RADIOGRAPHS:
                return self.patient_models.read_radiographs(self.catalogue.radiographs(image), image)
            case ModelName.FEATURES:
                return self.patient_models.read_features(study, image, options)
            case _:
                return self.models.infer(model, self.catalogue.find(image), options, image)

    def label(self, who: Principal, image: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The standing reads of a study that this principal may see, as one JSON document."""
        reader = None if who.is_service and not params else reader_of(who, params)
        return self.labels.document(self.catalogue.find(image).uid, who, reader)

    def save_label(
        self, who: Principal, image: str, data: bytes, params: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Store a Slicer scene or our read JSON as reads of the study with series ``image``.

        ``untouched`` counts the ROIs of a scene that say only what the models said (see :mod:`.reads`).
        """
        who.needs(Role.READER, Role.SERVICE)
        reader = reader_of(who, params)
        study = self.catalogue.find(image)
        shown = self.reader.read(study)  # the levels that reads belong to
        kept = self._store(study, shown, data, reader, params)
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

    def _store(
        self, study: Study, shown: StudyReading, data: bytes, reader: str, params: Mapping[str, Any]
    ) -> KeptScene:
        if b'"markups"' not in data:
            return KeptScene(self.desk.take(study.uid, reader, parse_reads(data)), 0)
        frame = self.catalogue.picture(study).frame
        scene = MarkedScene(from_markups(data), shown, study.image, frame)
        return self.desk.take_marked(scene, reader, _asked(params))


def open_room(
    home: Path,
    studies: str | None,
    centre: str,
    pipeline: Callable[[], Pipeline] | None = None,
    protocol: str | None = None,
) -> ReadingRoom:
    """A room over the project at ``home``.

    ``studies`` is a folder of DICOM or the http(s) address of an archive, taken in as ``centre``; None serves
    what is in the catalogue. ``pipeline`` stands in for the registry's champions; ``protocol`` names how
    many reads a level needs, else the settings do.
    """
    project = open_project(home)
    rules = load_protocol(protocol or project.settings.protocol)
    source = source_of(project, studies, centre)
    catalogue = Catalogue(project, source)
    serving = pipeline or Champions(project)
    reader = StudyReader(catalogue, serving, DatabaseShelf(project))
    explainer = Explainer(project, catalogue, rules)
    # What stands in for the champions has no feature space.
    ahead = ReadAhead(catalogue, reader, serving, explainer.prepare if pipeline is None else lambda: False)
    return ReadingRoom(
        project=project,
        source=source,
        catalogue=catalogue,
        pipeline=serving,
        reader=reader,
        models=ModelInference(catalogue, reader),
        patient_models=PatientModels(project),
        pictures=PictureCache(project.settings.cache_folder / "images", catalogue),
        labels=Labels(project, rules),
        desk=ReadDesk(project, rules),
        trainings=Trainings(project, JobStore(project.settings.jobs_folder)),
        batch=Background("batch inference"),
        scoring=Background("scoring"),
        protocol=rules,
        ahead=ahead,
        samples=Samples(project, rules, ahead.one_more),
        review=ReviewDesk.open(project, rules, explainer, ahead.one_more),
        reports=ReportDesk.of(project, source, rules),
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


def _asked(params: Mapping[str, Any]) -> frozenset[int]:
    """The levels that the reader says were read: ``level_id``, one or a list."""
    given = params.get("level_id", [])
    ids = given if isinstance(given, list) else [given]
    if not all(isinstance(one, int) for one in ids):
        raise InputError("level_id is the number of a level from the queue, or a list of such numbers.")
    return frozenset(ids)
