"""What lies in a folder: studies and series, from headers only, and what cannot be used."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from spine_fracture.dicom.arrangement import arrange
from spine_fracture.dicom.demographics import NOTHING_STATED, Demographics, first_stated
from spine_fracture.dicom.header import SliceHeader, read_headers
from spine_fracture.dicom.orientation import plane_of
from spine_fracture.dicom.radiograph import RadiographHeader, read_radiograph_header
from spine_fracture.dicom.reader import read_slices
from spine_fracture.dicom.recognise import sequence_of
from spine_fracture.errors import InputError, OffDomainError
from spine_fracture.geometry import VolumeFrame
from spine_fracture.imaging import Acquisition, Plane, Sequence, SpacingOrigin, Volume


@dataclass(frozen=True)
class Refusal:
    """A file, folder or series (named by one of its files) that is not used, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, eq=False)
class SeriesFiles:
    """One usable series; ``frame`` is as the files have it, before any reordering for display."""

    series_uid: str
    files: tuple[Path, ...]
    sequence: Sequence
    plane: Plane
    acquisition: Acquisition
    frame: VolumeFrame
    frame_of_reference_uid: str
    spacing_origin: SpacingOrigin
    headers: tuple[SliceHeader, ...] = field(repr=False)

    def read(self) -> Volume:
        """The pixels, without parsing any header again."""
        return read_slices(self.headers)


@dataclass(frozen=True, eq=False)
class StudyFiles:
    """The usable MR series and radiographs of one study.

    ``patient_id`` is as in the files: never log or store it as it is.
    """

    study_uid: str
    patient_id: str = field(repr=False)
    series: tuple[SeriesFiles, ...]
    radiographs: tuple[RadiographHeader, ...] = ()
    demographics: Demographics = NOTHING_STATED


@dataclass(frozen=True, eq=False)
class Scan:
    """Usable studies in order of their UID, and everything else with the reason.

    ``files`` are all that were looked at.
    """

    files: tuple[Path, ...]
    studies: tuple[StudyFiles, ...]
    refused: tuple[Refusal, ...]


def scan(folder: Path) -> Scan:
    """Walk ``folder`` and sort its files into studies and series; nothing bad in it stops the rest.

    Raises :class:`InputError` when the folder is missing, cannot be opened or holds no file at all.
    """
    refused: list[Refusal] = []
    headers: list[SliceHeader] = []
    radiographs: list[RadiographHeader] = []
    instances: set[str] = set()
    acquisitions: dict[str, Acquisition] = {}
    files = _walk(folder, refused)
    for path in files:
        try:
            found = _read(path, acquisitions)
        except InputError as error:
            refused.append(Refusal(path, str(error)))
            continue
        if found[0].sop_uid in instances:
            refused.append(Refusal(path, "It is a copy of another file: the same instance is there already."))
            continue
        instances.add(found[0].sop_uid)
        for header in found:
            if isinstance(header, RadiographHeader):
                radiographs.append(header)
            else:
                headers.append(header)
    studies = _grouped(headers, radiographs, refused)
    return Scan(tuple(files), studies, tuple(refused))


def _read(
    path: Path, acquisitions: dict[str, Acquisition]
) -> tuple[SliceHeader, ...] | tuple[RadiographHeader]:
    try:
        return read_headers(path, acquisitions)
    except OffDomainError:
        radiograph = read_radiograph_header(path)
        if radiograph is None:
            raise
        return (radiograph,)


def _walk(folder: Path, refused: list[Refusal]) -> list[Path]:
    """Every file below ``folder``, each real folder once; nothing hidden, no DICOMDIR.

    Files keep the names they have below ``folder``, whatever a link in between points to. Links to folders
    are followed last: what lies below ``folder`` itself is found where it lies.
    """
    try:
        os.scandir(folder).close()
    except OSError as error:
        raise InputError(
            f"{folder} cannot be opened ({error.strerror}): give a folder of DICOM files that you may read."
        ) from error
    closed: list[OSError] = []
    files: list[Path] = []
    visited: set[str] = set()
    starts = [folder]
    for start in starts:  # which grows by the links on the way
        for parent, folders, names in os.walk(start, onerror=closed.append):
            real = os.path.realpath(parent)
            if real in visited:
                folders.clear()
                continue
            visited.add(real)
            # Hidden folders hold copies: snapshots of the disk, what was thrown away, half a download.
            folders[:] = sorted(name for name in folders if name[0] != ".")
            starts.extend(path for name in folders if (path := Path(parent) / name).is_symlink())
            files.extend(Path(parent) / name for name in names if name[0] != "." and name != "DICOMDIR")
    refused.extend(
        Refusal(Path(error.filename), f"The folder cannot be opened ({error.strerror}): check the rights.")
        for error in closed
    )
    if not files and not refused:
        raise InputError(f"{folder} is empty: give a folder of DICOM files.")
    return sorted(files)


def _grouped(
    headers: Iterable[SliceHeader], radiographs: Iterable[RadiographHeader], refused: list[Refusal]
) -> tuple[StudyFiles, ...]:
    studies: dict[str, dict[str, list[SliceHeader]]] = defaultdict(lambda: defaultdict(list))
    for header in headers:
        studies[header.study_uid][header.series_uid].append(header)
    plain: dict[str, list[RadiographHeader]] = defaultdict(list)
    for radiograph in radiographs:
        plain[radiograph.study_uid].append(radiograph)
    found = []
    for study_uid in sorted(studies.keys() | plain.keys()):
        by_series = studies[study_uid]
        slices: list[SliceHeader | RadiographHeader] = [*chain(*by_series.values()), *plain[study_uid]]
        if len({header.patient_id for header in slices}) > 1:
            reason = f"Study of {len(slices)} slices: its files name several patients. Correct them first."
            refused.append(Refusal(slices[0].path, reason))
            continue
        usable = []
        for members in by_series.values():
            try:
                usable.append(describe_series(members))
            except InputError as error:
                refused.append(Refusal(members[0].path, f"Series of {len(members)} slices: {error}"))
        if usable or plain[study_uid]:
            stated = first_stated(header.demographics for header in slices)
            found.append(
                StudyFiles(study_uid, slices[0].patient_id, tuple(usable), tuple(plain[study_uid]), stated)
            )
    return tuple(found)


def describe_series(members: list[SliceHeader]) -> SeriesFiles:
    """The series that these slices make; raises :class:`InputError` when they make no even stack."""
    stack = arrange(members)
    first = stack.headers[0]
    return SeriesFiles(
        series_uid=first.series_uid,
        files=tuple(dict.fromkeys(h.path for h in stack.headers)),
        sequence=sequence_of(first.acquisition),
        plane=plane_of(stack.frame),
        acquisition=first.acquisition,
        frame=stack.frame,
        frame_of_reference_uid=first.frame_of_reference_uid,
        spacing_origin=first.spacing_origin,
        headers=stack.headers,
    )
