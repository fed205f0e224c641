"""Series as NIfTI files in the cache, which is how Slicer loads what the server holds as DICOM."""

from __future__ import annotations

import hashlib
from pathlib import Path

from spine_fracture.dicom.nifti import write_nifti
from spine_fracture.server.studies import Catalogue, Study


class PictureCache:
    """One file a series, made when first asked for and again when the study's files changed."""

    def __init__(self, folder: Path, catalogue: Catalogue) -> None:
        self._folder = folder
        self._catalogue = catalogue

    def nifti(self, study: Study, series_uid: str | None = None) -> Path:
        """A series that is read, by default the study's image (T2 if there is one), as ``.nii.gz``."""
        series = series_uid if series_uid is not None and series_uid in study.series else study.image
        name = hashlib.sha256(series.encode()).hexdigest()[:32]
        path = self._folder / f"{name}-{study.fingerprint}.nii.gz"
        if not path.is_file():
            write_nifti(self._catalogue.picture(study, series), path)
            for old in self._folder.glob(f"{name}-*.nii.gz"):
                if old != path:
                    old.unlink(missing_ok=True)
        return path
