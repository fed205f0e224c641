"""Series as NIfTI files in the cache, which is how Slicer loads what the server holds as DICOM."""

from __future__ import annotations

import hashlib
from pathlib import Path

from spine_fracture.dicom.nifti import write_nifti
from spine_fracture.server.studies import Catalogue, Study


class PictureCache:
    """A series' file is made when first asked for, and again when the study's files changed.

    There are two of each, for boxes in pixels come in two ways: what MONAI Label's routes answer speaks of a
    series as shown, the reading room of its files.
    """

    def __init__(self, folder: Path, catalogue: Catalogue) -> None:
        self._folder = folder
        self._catalogue = catalogue

    def nifti(self, study: Study, series_uid: str | None = None, *, stored: bool = False) -> Path:
        """A series that is read, by default the study's image (T2 if there is one), as ``.nii.gz``.

        ``stored`` says that its rows and columns are those of the files, not turned for reading.
        """
        series = series_uid if series_uid is not None and series_uid in study.series else study.image
        name = hashlib.sha256(f"{series}{' as stored' if stored else ''}".encode()).hexdigest()[:32]
        path = self._folder / f"{name}-{study.fingerprint}.nii.gz"
        if not path.is_file():
            volume = (
                self._catalogue.stored_picture(series) if stored else self._catalogue.picture(study, series)
            )
            write_nifti(volume, path)
            for old in self._folder.glob(f"{name}-*.nii.gz"):
                if old != path:
                    old.unlink(missing_ok=True)
        return path
