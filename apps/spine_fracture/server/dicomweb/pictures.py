"""The plain pictures of a study: all that a reader sees of it while a level is being read.

What others drew, wrote or computed (reports, segmentations, key images, derived series) would tell a
reader what to find. Only series that the catalogue knows as original pictures are pictures; any series
that it does not know may be anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydicom import dcmread
from sqlalchemy import or_, select
from sqlalchemy.orm import selectinload

from spine_fracture.cohort import models
from spine_fracture.cohort.models import FileKind
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.studies import files_of
from spine_fracture.dicom.header import reading_dicom
from spine_fracture.errors import UnreadablePictureError

#: Of all that the catalogue takes in, what readers of levels are shown; of radiographs they see none.
PICTURE_MODALITY = "MR"
#: What is stored in another format than DICOM, and written out for viewers.
COPIED = tuple(kind for kind in FileKind if not kind.is_dicom)


@dataclass(frozen=True)
class StudyPictures:
    """``series`` are the UIDs of the picture series, each with the UIDs of its instances; ``copied`` those
    that are stored in another format, whose instances are made for the viewer. Of those in ``unsure`` it
    cannot be told now: they are hidden as long.
    """

    series: Mapping[str, frozenset[str]] = field(default_factory=dict)
    copied: frozenset[str] = frozenset()
    unsure: frozenset[str] = frozenset()

    @property
    def instances(self) -> int:
        return sum(map(len, self.series.values()))

    def shows(self, series: str, instance: str = "") -> bool:
        """Whether this series (and instance, where one is named) is a picture."""
        known = self.series.get(series)
        return known is not None and (not instance or instance in known or series in self.copied)


@dataclass(eq=False)
class Pictures:
    """Picture series by study, from the catalogue. Safe to use from several threads."""

    project: Project
    _original: dict[str, bool] = field(default_factory=dict)

    def of(self, study_uids: Iterable[str]) -> dict[str, StudyPictures]:
        """The pictures of those of these studies that have any."""
        return {uid: found for uid, found in self._of(study_uids).items() if found.series}

    def of_study(self, study_uid: str) -> StudyPictures:
        return self._of([study_uid]).get(study_uid, StudyPictures())

    def _of(self, study_uids: Iterable[str]) -> dict[str, StudyPictures]:
        query = (
            select(models.Study)
            .where(models.Study.uid.in_(list(study_uids)))
            .options(selectinload(models.Study.series).selectinload(models.Series.instances))
        )
        with self.project.session() as session:
            return {study.uid: self._pictures(study) for study in session.scalars(query)}

    def _pictures(self, study: models.Study) -> StudyPictures:
        told = {series.uid: self._told(series) for series in study.series}
        return StudyPictures(
            {s.uid: frozenset(i.sop_uid for i in s.instances) for s in study.series if told[s.uid]},
            frozenset(s.uid for s in study.series if not s.kind.is_dicom),
            frozenset(uid for uid, shown in told.items() if shown is None),
        )

    def shows(self, study_uid: str, series_uid: str, sop_uid: str = "") -> bool | None:
        """Whether this one series (and instance of it, where one is named) is a picture.

        None, and hidden as well, while that cannot be told.
        """
        query = (
            select(models.Series)
            .join(models.Study)
            .where(models.Series.uid == series_uid, models.Study.uid == study_uid)
        )
        if sop_uid:
            # What is stored in another format has no instances of its own in the catalogue.
            named = models.Series.instances.any(models.Instance.sop_uid == sop_uid)
            query = query.where(or_(named, models.Series.kind.in_(COPIED)))
        with self.project.session() as session:
            series = session.scalar(query)
            return False if series is None else self._told(series)

    def is_picture(self, series: models.Series) -> bool:
        """Whether this series of the catalogue is known to have come from the scanner as it is."""
        return bool(self._told(series))

    def _told(self, series: models.Series) -> bool | None:
        if series.kind is FileKind.RADIOGRAPH:
            return False
        if series.role is not None or series.kind in COPIED:
            return True
        if series.uid not in self._original:
            told = _is_original(files_of(series)[0])
            if told is None:
                return None
            self._original[series.uid] = told
        return self._original[series.uid]


def _is_original(path: Path) -> bool | None:
    """Whether the file says that its pixels came from the scanner; one that is damaged says nothing.

    None when it cannot be opened, as when a share is away for a moment.
    """
    try:
        with reading_dicom():
            header = dcmread(path, stop_before_pixels=True, specific_tags=["ImageType"])
            kind = header.get("ImageType") or ["ORIGINAL"]
    except UnreadablePictureError as error:
        return None if isinstance(error.__cause__, OSError) else False
    return str(kind if isinstance(kind, str) else kind[0]).upper() != "DERIVED"
