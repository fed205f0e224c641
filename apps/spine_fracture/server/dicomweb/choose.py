"""Which DICOMweb stands behind a server: its archive, or the files of its catalogue."""

from __future__ import annotations

from spine_fracture.cohort.project import Project
from spine_fracture.server.dicomweb.archive import ArchiveWeb
from spine_fracture.server.dicomweb.folder import FolderWeb
from spine_fracture.server.dicomweb.holdings import Holdings
from spine_fracture.server.dicomweb.pictures import Pictures
from spine_fracture.server.dicomweb.web import DicomWeb
from spine_fracture.server.sources import ArchiveSource, Source
from spine_fracture.server.viewer import DICOM_WEB


def web_over(project: Project, source: Source) -> DicomWeb:
    """DICOMweb over where the studies of this server come from."""
    pictures = Pictures(project)
    if isinstance(source, ArchiveSource):
        archive = source.archive
        return ArchiveWeb(archive.url, DICOM_WEB, pictures, archive.credentials)
    return FolderWeb(Holdings(project), pictures)
