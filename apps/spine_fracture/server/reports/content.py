"""What an author's report on a study says now, and the pictures that it speaks of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from spine_fracture.anatomy import Basis, Diagnosis, Feature, Level, most_probable
from spine_fracture.cohort.models import Prediction, Read, Study, StudyLevel
from spine_fracture.cohort.protocol import Need, ProtocolConfig, need, was_removed
from spine_fracture.cohort.reads import standing_reads
from spine_fracture.cohort.splits import Split
from spine_fracture.dicom.grid import SeriesGrid
from spine_fracture.dicom.sr.images import SourceImage, open_images
from spine_fracture.dicom.sr.statements import Author, Reader, Region, Statement
from spine_fracture.dicom.write import uid_from
from spine_fracture.errors import ForbiddenError, InputError, NotFoundError
from spine_fracture.geometry import PixelBox
from spine_fracture.server.dicomweb.holdings import Holdings
from spine_fracture.server.reports.authors import model_key


@dataclass(frozen=True)
class Place:
    """A box in pixels of a series as the catalogue has it."""

    series_uid: str
    slice_index: int
    box: PixelBox


@dataclass(frozen=True)
class Said:
    """A statement to be, before its pictures are opened."""

    level_id: int
    level: Level
    diagnosis: Diagnosis
    place: Place
    features: frozenset[Feature] = frozenset()
    confidence: int | None = None
    basis: Basis | None = None
    note: str = ""
    probability: float | None = None


@dataclass(frozen=True, eq=False)
class Pictured:
    """Statements with the headers of their pictures."""

    statements: tuple[Statement, ...]
    images: tuple[SourceImage, ...]


def said_by(study: Study, author: Author, key: str, protocol: ProtocolConfig) -> tuple[Said, ...]:
    """What ``author`` (whose key is ``key``) says of the levels of ``study``, head to foot.

    A reader's reads count once their level needs nothing more. Raises :class:`ForbiddenError` for a
    model and a validation or test patient.
    """
    if isinstance(author, Reader):
        found = _reads(study, author.id, protocol)
    else:
        require_open(study)
        found = _predictions(study, key)
    return tuple(sorted(found, key=lambda said: said.level.order))


def require_open(study: Study) -> None:
    """Raises :class:`ForbiddenError` for a study whose predictions nobody may see outside an evaluation."""
    if study.patient.split is not Split.TRAIN:
        raise ForbiddenError(
            "This study is of a validation or test patient: what models say of it stays out of the archive, "
            "so that it is read blinded."
        )


def pictured(study_uid: str, said: Sequence[Said], tracking: str, holdings: Holdings) -> Pictured:
    """The statements, in pixels of the files, and the pictures that they lie on.

    ``tracking`` belongs to the author and the study: with a level's id it makes the tracking UID.
    Without statements one picture of the study stands for it. Raises :class:`InputError` or
    :class:`NotFoundError` when pictures are gone.
    """
    files: dict[str, Path] = {}
    statements = []
    grids: dict[str, SeriesGrid] = {}
    for one in said:
        uid = one.place.series_uid
        if uid not in grids:
            held = _files(holdings, study_uid, uid)
            grids[uid] = SeriesGrid.of_files(dict.fromkeys(held.values()))
            files |= held
        statements.append(_statement(one, grids[uid], tracking))
    wanted = {statement.region.sop_uid for statement in statements}
    if not wanted:
        whole = holdings.study(study_uid)
        pictures = [series.files for series in whole.series if not series.is_report] if whole else []
        files = dict(next((held for held in pictures if held), {}))
        wanted = set(list(files)[:1])
    if not wanted:
        raise NotFoundError("The pictures of this study are gone: ingest the study again.")
    return Pictured(tuple(statements), open_images(files[uid] for uid in sorted(wanted)))


def _files(holdings: Holdings, study_uid: str, series_uid: str) -> dict[str, Path]:
    found = holdings.series(study_uid, series_uid)
    held = dict(found[0].files) if found else {}
    if not held or not all(path.is_file() for path in held.values()):
        raise InputError("Pictures of this series are no longer where they were: ingest the study again.")
    return held


def _statement(said: Said, grid: SeriesGrid, tracking: str) -> Statement:
    place = said.place
    stored = grid.slices[place.slice_index]
    return Statement(
        tracking_uid=uid_from("tracked level", tracking, said.level_id),
        level=said.level,
        diagnosis=said.diagnosis,
        region=Region(stored.sop_uid, grid.to_stored(place.box, place.slice_index), stored.frame),
        features=said.features,
        confidence=said.confidence,
        basis=said.basis,
        note=said.note,
        probability=said.probability,
    )


def reported_read(level: StudyLevel, reader: str, protocol: ProtocolConfig) -> Read | None:
    """The read of ``reader`` that a report says; None while the level needs more, or when it was removed."""
    reads = () if was_removed(level) else standing_reads(level, reader)
    return reads[-1] if reads and need(level, protocol) is Need.NONE else None


def _reads(study: Study, reader: str, protocol: ProtocolConfig) -> Iterator[Said]:
    for level in study.levels:
        read = reported_read(level, reader, protocol)
        if read is None:
            continue
        place = _drawn(read) or _outlined(level)
        if place is not None:
            yield Said(
                level.id,
                read.name_given,
                read.diagnosis,
                place,
                features=read.features,
                confidence=read.confidence,
                basis=read.basis,
                note=read.note,
            )


def _predictions(study: Study, key: str) -> Iterator[Said]:
    for level in study.levels:
        place = _outlined(level) if level.current else None
        prediction = next((p for p in reversed(level.predictions) if model_of(p) == key), None)
        if place is not None and prediction is not None:
            diagnosis = most_probable(prediction.probabilities)
            yield Said(
                level.id, level.name, diagnosis, place, probability=round(max(prediction.probabilities), 4)
            )


def _drawn(read: Read) -> Place | None:
    if read.series is None or read.slice_index is None or read.box is None:
        return None
    return Place(read.series.uid, read.slice_index, read.box)


def model_of(prediction: Prediction) -> str:
    return model_key(prediction.detector_version, prediction.classifier_version)


def _outlined(level: StudyLevel) -> Place | None:
    """Where the level is seen best; None for one that has no box on any slice."""
    best = max(level.slices, key=lambda one: one.score, default=None)
    return Place(best.series.uid, best.slice_index, best.box) if best else None
