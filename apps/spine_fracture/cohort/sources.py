"""What lies in a folder, whatever its format, as studies that the catalogue can take in."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from spine_fracture.cohort.models import FileKind
from spine_fracture.dicom.choose import choose
from spine_fracture.dicom.demographics import NOTHING_STATED, Demographics
from spine_fracture.dicom.nifti import read_nifti
from spine_fracture.dicom.pictures import read_picture
from spine_fracture.dicom.radiograph import RadiographHeader
from spine_fracture.dicom.scan import Refusal, SeriesFiles, StudyFiles, scan
from spine_fracture.dicom.write import uid_from
from spine_fracture.errors import InputError
from spine_fracture.imaging import Acquisition, Plane, Sequence, SpacingOrigin, Volume

_NIFTI = (".nii", ".nii.gz")
_PICTURES = (".png", ".jpg", ".jpeg")
#: ``sub-01_T2w.nii.gz``: the patient is what comes before, the sequence is the mark.
_NAME = re.compile(r"(?P<patient>.+?)[_-](?P<sequence>T[12])w?", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class FoundSeries:
    """A series as it is kept: ``files`` are (SOP UID, path), ``shape`` is (slices, rows, columns)."""

    uid: str
    kind: FileKind
    files: tuple[tuple[str, Path], ...]
    sequence: Sequence
    plane: Plane
    spacing_origin: SpacingOrigin
    shape: tuple[int, int, int]
    acquisition: Acquisition
    dicom: SeriesFiles | None = None


@dataclass(frozen=True, eq=False)
class FoundStudy:
    """``patient_id`` is as in the files: it is never stored as it is."""

    uid: str
    patient_id: str
    series: tuple[FoundSeries, ...]
    demographics: Demographics = NOTHING_STATED


@dataclass(frozen=True, eq=False)
class Found:
    """``folder`` is what the paths of the files are relative to, without links in it; in them links stay.

    ``only`` is the one file that was looked at, None where that was all of the folder.
    """

    folder: Path
    studies: tuple[FoundStudy, ...]
    refused: tuple[Refusal, ...]
    only: Path | None = None


def find_studies(path: Path, centre: str) -> Found:
    """The studies of a folder of DICOM, NIfTI, PNG and JPEG files, or of one NIfTI, PNG or JPEG file.

    Raises :class:`InputError` when there is no such file or folder, or it is empty or closed.
    """
    if path.is_file():
        if _kind(path) is FileKind.DICOM:
            raise InputError(f"{path.name} is one file: give the folder that holds the study.")
        folder = _real(path.parent)
        only = folder / path.name
        return Found(folder, *_plain_studies(folder, [only], centre), only)
    folder = _real(path)
    scanned = scan(folder)
    plain = {p: None for p in scanned.files if _kind(p) is not FileKind.DICOM}
    volumes, refused = _plain_studies(folder, plain, centre)
    dicom = tuple(map(_dicom_study, scanned.studies))
    not_dicom = tuple(r for r in scanned.refused if r.path not in plain)
    return Found(folder, dicom + volumes, not_dicom + refused)


def _real(folder: Path) -> Path:
    # Path.resolve would raise for a link to itself, which is a folder that cannot be opened like others.
    return Path(os.path.realpath(folder))


def choose_pair(series: Iterable[FoundSeries]) -> tuple[str | None, str | None]:
    """The UIDs of the T1 and T2 series that are read.

    Raises :class:`InputError` when there is neither; a study that holds radiographs may do without.
    """
    given = tuple(series)
    mr = tuple(s for s in given if s.kind is not FileKind.RADIOGRAPH)
    if len(mr) < len(given):
        with suppress(InputError):
            return _pair(mr)
        return None, None
    return _pair(mr)


def _pair(given: tuple[FoundSeries, ...]) -> tuple[str | None, str | None]:
    dicom = tuple(s.dicom for s in given if s.dicom is not None)
    if dicom:
        choice = choose(StudyFiles("", "", dicom))
        return (choice.t1.series_uid if choice.t1 else None, choice.t2.series_uid if choice.t2 else None)
    sagittal = {s.sequence: s.uid for s in reversed(given) if s.plane is Plane.SAGITTAL}
    pair = (sagittal.get(Sequence.T1), sagittal.get(Sequence.T2))
    if pair == (None, None):
        planes = ", ".join(sorted({s.plane for s in given}))
        raise InputError(f"The study has no sagittal T1 or T2, only {planes} slices: sagittal ones are read.")
    return pair


def of_dicom(series: SeriesFiles) -> FoundSeries:
    return FoundSeries(
        uid=series.series_uid,
        kind=FileKind.DICOM,
        # A multi-frame object is one instance with many slices.
        files=tuple({h.sop_uid: (h.sop_uid, h.path) for h in series.headers}.values()),
        sequence=series.sequence,
        plane=series.plane,
        spacing_origin=series.spacing_origin,
        shape=series.frame.shape,
        acquisition=series.acquisition,
        dicom=series,
    )


def of_radiographs(headers: Iterable[RadiographHeader]) -> tuple[FoundSeries, ...]:
    """Radiographs by the series they are of, each as if it were a slice."""
    by_series: dict[str, list[RadiographHeader]] = defaultdict(list)
    for header in headers:
        by_series[header.series_uid].append(header)
    return tuple(
        FoundSeries(
            uid=uid,
            kind=FileKind.RADIOGRAPH,
            files=tuple((header.sop_uid, header.path) for header in members),
            sequence=Sequence.UNKNOWN,
            plane=Plane.UNKNOWN,
            spacing_origin=SpacingOrigin.UNKNOWN,
            shape=(len(members), max(h.rows for h in members), max(h.columns for h in members)),
            acquisition=Acquisition(),
        )
        for uid, members in by_series.items()
    )


def _dicom_study(study: StudyFiles) -> FoundStudy:
    series = (*map(of_dicom, study.series), *of_radiographs(study.radiographs))
    return FoundStudy(study.study_uid, study.patient_id, series, study.demographics)


def _plain_studies(
    folder: Path, paths: Iterable[Path], centre: str
) -> tuple[tuple[FoundStudy, ...], tuple[Refusal, ...]]:
    """NIfTI and pictures: files that share a name before ``_T1`` or ``_T2`` are one patient's study."""
    patients: dict[str, list[FoundSeries]] = defaultdict(list)
    refused: list[Refusal] = []
    seen: set[str] = set()
    for path in paths:
        try:
            patient, series = _plain_series(path)
        except InputError as error:
            refused.append(Refusal(path, str(error)))
            continue
        if series.uid in seen:
            refused.append(Refusal(path, "It is a copy of another file: the same volume is there already."))
        else:
            seen.add(series.uid)
            patients[(path.relative_to(folder).parent / patient).as_posix()].append(series)
    studies = tuple(
        FoundStudy(uid_from("study", centre, name), name, tuple(series)) for name, series in patients.items()
    )
    return studies, tuple(refused)


def _plain_series(path: Path) -> tuple[str, FoundSeries]:
    kind = _kind(path)
    named = _NAME.fullmatch(path.name.split(".nii")[0] if kind is FileKind.NIFTI else path.stem)
    if named is None:
        raise InputError(
            "Its name does not say T1 or T2, and the file itself cannot: call it NAME_T1 or NAME_T2."
        )
    volume = read_plain(kind)(path, Sequence(named["sequence"].upper()))
    return named["patient"], FoundSeries(
        uid=volume.series_uid,
        kind=kind,
        files=((volume.series_uid, path),),
        sequence=volume.sequence,
        plane=volume.plane,
        spacing_origin=volume.spacing_origin,
        shape=volume.frame.shape,
        acquisition=volume.acquisition,
    )


def read_plain(kind: FileKind) -> Callable[[Path, Sequence], Volume]:
    """The function that reads a file of this kind."""
    return read_nifti if kind is FileKind.NIFTI else read_picture


def _kind(path: Path) -> FileKind:
    name = path.name.lower()
    if name.endswith(_NIFTI):
        return FileKind.NIFTI
    return FileKind.PICTURE if name.endswith(_PICTURES) else FileKind.DICOM
