"""The studies of a snapshot's reads, with their pictures on one grid: one read a level that counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy.orm import Session

from spine_fracture.anatomy import Diagnosis, Level, Primary
from spine_fracture.classification.crops import BoxOnSlice
from spine_fracture.cohort.models import LevelSource, Study
from spine_fracture.cohort.project import Project
from spine_fracture.cohort.snapshots import SnapshotContent, SnapshotRead, SnapshotSlice
from spine_fracture.cohort.studies import find_study, further_series, load_pair, read_volume
from spine_fracture.dicom.demographics import Sex
from spine_fracture.dicom.further import with_further
from spine_fracture.errors import InputError
from spine_fracture.evaluation.seen import picture_hash
from spine_fracture.geometry import PixelBox
from spine_fracture.imaging import PairedStack, Volume
from spine_fracture.imaging import Sequence as MrSequence
from spine_fracture.same_place import carried, slice_box
from spine_fracture.training.classifiers.samples import Tell


@dataclass(frozen=True, eq=False)
class ReadStudy:
    """One study's pair, with the further sequences that were asked for, and its levels on the pair's grid; of
    each level its name, its boxes, and the read that counts or None where nobody answered.
    """

    patient: str
    pictures: str
    pair: PairedStack
    field_strength: float | None
    sex: Sex | None
    age: int | None
    primary_tumour: Primary | None
    names: tuple[Level, ...]
    boxes: tuple[tuple[BoxOnSlice, ...], ...]
    reads: tuple[SnapshotRead | None, ...]

    @property
    def truths(self) -> tuple[Diagnosis | None, ...]:
        return tuple(None if read is None else read.diagnosis for read in self.reads)


def disputes(content: SnapshotContent) -> list[str]:
    """What of a snapshot cannot be used because nobody has decided yet, in words."""
    return [_dispute(level_id) for level_id in content.disputed]


def agreed(reads: Sequence[SnapshotRead], left_out: list[str]) -> tuple[SnapshotRead, ...]:
    """One read a level: the reference standard, or what all its readers say.

    Earlier snapshots hold levels on which readers disagree: these are added to ``left_out``.
    """
    by_level: dict[int, list[SnapshotRead]] = defaultdict(list)
    for read in reads:
        by_level[read.level_id].append(read)
    chosen = []
    for level_id, given in by_level.items():
        standard = [read for read in given if read.reference]
        if standard or len({(read.diagnosis, read.level) for read in given}) == 1:
            chosen.append((standard or given)[-1])
        else:
            left_out.append(_dispute(level_id))
    return tuple(chosen)


def _dispute(level_id: int) -> str:
    return f"level {level_id}: its readers disagree, adjudicate it"


def read_studies(
    project: Project,
    reads: Sequence[SnapshotRead],
    left_out: list[str],
    what: str,
    tell: Tell | None = None,
    further: Collection[MrSequence] = (),
) -> Iterator[ReadStudy]:
    """The studies of these reads, one after the other, each with what it has of ``further`` beside its pair.

    One that cannot be read goes to ``left_out``; so does a further series, and its study comes without it.
    """
    by_study: dict[str, dict[int, SnapshotRead]] = defaultdict(dict)
    for read in reads:
        by_study[read.study_uid][read.level_id] = read
    for number, (study_uid, of_study) in enumerate(by_study.items(), 1):
        with project.session() as session:
            try:
                study = _read_study(session, study_uid, of_study, further, left_out)
            except InputError as error:
                left_out.append(f"study {study_uid}: {error}")
                continue
        yield study
        if tell:
            tell(what, number, len(by_study))


def _read_study(
    session: Session,
    study_uid: str,
    reads: dict[int, SnapshotRead],
    further: Collection[MrSequence],
    left_out: list[str],
) -> ReadStudy:
    """Read levels with their boxes of the snapshot; the others, which show the usual signal, as they are."""
    pair = load_pair(session, study_uid)
    grid = pair.reference.series_uid
    study = find_study(session, study_uid)
    levels = [one for one in study.levels if one.current and one.source is not LevelSource.REFERENCE]
    boxes: dict[int, tuple[BoxOnSlice, ...]] = {
        level.id: tuple((s.slice_index, s.box) for s in level.slices if s.series.uid == grid)
        for level in levels
    }
    names = {level.id: level.name for level in levels} | {key: read.level for key, read in reads.items()}
    boxes |= {level_id: _boxes_of(read, pair) for level_id, read in reads.items()}
    kept = {level_id: on_grid for level_id, on_grid in boxes.items() if on_grid}
    if not kept.keys() & reads.keys():
        raise InputError("no level that was read has a box on the series that the models read")
    pair = with_further(pair, _beside(study, further, left_out))
    any_read = next(iter(reads.values()))
    return ReadStudy(
        patient=any_read.patient,
        pictures=_hash(pair),
        pair=pair,
        field_strength=study.patient.field_strength,
        sex=any_read.sex,
        age=any_read.age,
        primary_tumour=any_read.primary_tumour,
        names=tuple(names[level_id] for level_id in kept),
        boxes=tuple(kept.values()),
        reads=tuple(reads.get(level_id) for level_id in kept),
    )


def _beside(study: Study, further: Collection[MrSequence], left_out: list[str]) -> Iterator[Volume]:
    """A series that was lost or damaged is as one that was not acquired: the reads rest on T1 and T2."""
    for series in further_series(study):
        if series.sequence in further:
            try:
                yield read_volume(series)
            except InputError as error:
                left_out.append(f"{series.sequence} of study {study.uid}: {error}")


def _boxes_of(read: SnapshotRead, pair: PairedStack) -> tuple[BoxOnSlice, ...]:
    """The level's boxes on the grid's slices, the reader's own in place of the detector's."""
    grid = pair.reference.series_uid
    boxes = {s.slice_index: PixelBox(*s.box) for s in read.slices if s.series_uid == grid}
    if read.drawn is not None:
        boxes |= _on_grid(read.drawn, pair)
    return tuple(sorted(boxes.items(), key=lambda item: item[0]))


def _on_grid(drawn: SnapshotSlice, pair: PairedStack) -> dict[int, PixelBox]:
    """What was drawn, carried over where it was drawn on the pair's other series."""
    box = PixelBox(*drawn.box)
    if drawn.series_uid == pair.reference.series_uid:
        return {drawn.slice_index: box}
    if pair.other is None or drawn.series_uid != pair.other.series_uid:
        return {}
    there = slice_box(pair.other, drawn.slice_index, box, 1.0)
    on_grid = carried(pair, pair.other, pair.reference, [there])
    return {s.slice_index: s.box for s in on_grid}


def _hash(pair: PairedStack) -> str:
    """The patient's pictures as :mod:`spine_fracture.evaluation.seen` knows them.

    Series that hold 8-bit grey levels as they are; others by their scaled pixels.
    """
    volumes = {
        volume.sequence: volume.pixels for volume in (pair.reference, pair.other) if volume is not None
    }
    raw = list(volumes.values())
    if len(raw) == 2 and all(p.min() >= 0 and p.max() <= 255 and not (p % 1).any() for p in raw):
        return picture_hash(*(volumes[name].astype(np.uint8) for name in sorted(volumes)))
    grey = np.rint(pair.pixels * 255).astype(np.uint8)
    return picture_hash(grey[:, 0], grey[:, 1])
