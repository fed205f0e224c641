"""Where studies come from: a folder of DICOM, an archive over DICOMweb, or only what is in the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sqlalchemy import select

from spine_fracture.cohort import models
from spine_fracture.cohort.ingest import ingest
from spine_fracture.cohort.project import Project
from spine_fracture.server.archive import Archive


class Source(Protocol):
    """Takes studies into the catalogue of a project."""

    @property
    def name(self) -> str: ...

    def gather(self, project: Project) -> None:
        """Take in all that is there now."""

    def look_for(self, project: Project, series_uid: str) -> None:
        """Take in the study of a series that nobody has seen so far, if it is there."""


@dataclass(frozen=True)
class CatalogueSource:
    """Nothing new comes: what was ingested by the command line is served."""

    name: str = "the catalogue"

    def gather(self, project: Project) -> None:
        return None

    def look_for(self, project: Project, series_uid: str) -> None:
        return None


@dataclass(frozen=True)
class FolderSource:
    """A folder of DICOM files, never written to."""

    folder: Path
    centre: str

    @property
    def name(self) -> str:
        return f"folder {self.folder.name}"

    def gather(self, project: Project) -> None:
        ingest(self.folder, _centre_of(project, self.folder) or self.centre, project)

    def look_for(self, project: Project, series_uid: str) -> None:
        return None


@dataclass(frozen=True)
class ArchiveSource:
    """An archive, copied to the cache series by series."""

    archive: Archive
    centre: str

    @property
    def name(self) -> str:
        return "a DICOMweb archive"

    def gather(self, project: Project) -> None:
        if [self.archive.fetch(series) for series in self.archive.series()]:
            ingest(self.archive.cache, _centre_of(project, self.archive.cache) or self.centre, project)

    def look_for(self, project: Project, series_uid: str) -> None:
        studies = {series.study_uid for series in self.archive.series(series_uid)}
        for series in (s for uid in studies for s in self.archive.study(uid)):
            self.archive.fetch(series)
        if studies:
            ingest(self.archive.cache, _centre_of(project, self.archive.cache) or self.centre, project)


def _centre_of(project: Project, folder: Path) -> str | None:
    """The centre that this folder was taken in for before, if it was one.

    Under another name its patients would be others, and every study of theirs a conflict.
    """
    query = (
        select(models.Centre.name)
        .where(models.StudyFolder.path == str(folder.resolve()))
        .join(models.Patient, models.Patient.centre_id == models.Centre.id)
        .join(models.Study)
        .join(models.Series)
        .join(models.StudyFolder)
        .distinct()
    )
    with project.session() as session:
        names = session.scalars(query).all()
    return names[0] if len(names) == 1 else None
