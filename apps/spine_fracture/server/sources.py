"""Where studies come from: a folder of DICOM, an archive over DICOMweb, or only what is in the catalogue."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sqlalchemy import select

from spine_fracture.cohort import models
from spine_fracture.cohort.ingest import ingest
from spine_fracture.cohort.project import Project
from spine_fracture.errors import RemoteError, StorageError
from spine_fracture.server.archive import Archive, RemoteSeries

_log = logging.getLogger(__name__)


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
        self._take_in(project, self.archive.series())

    def look_for(self, project: Project, series_uid: str) -> None:
        studies = {series.study_uid for series in self.archive.series(series_uid)}
        self._take_in(project, [series for uid in studies for series in self.archive.study(uid)])

    def _take_in(self, project: Project, listed: Sequence[RemoteSeries]) -> None:
        """Copy ``listed``, then take in what has come: before, a study might go in without its other half.

        What does not come is tried again the next time.
        """
        troubles = [trouble for series in listed if (trouble := self._trouble_with(series))]
        if troubles:
            _log.warning(
                "%d of %d series of the archive are left out. The first: %s",
                len(troubles),
                len(listed),
                troubles[0],
            )
        if len(troubles) < len(listed):
            ingest(self.archive.cache, _centre_of(project, self.archive.cache) or self.centre, project)

    def _trouble_with(self, series: RemoteSeries) -> str:
        """Copy ``series``; why it does not come, or nothing. Raises when none would come."""
        try:
            self.archive.fetch(series)
        except StorageError:
            raise
        except RemoteError as error:
            self.archive.study(series.study_uid)  # an archive that is down lists nothing either
            return str(error)
        except Exception as error:  # the client's libraries have no common error for what is not DICOM
            return f"The archive sent it damaged ({type(error).__name__})."
        return ""


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
