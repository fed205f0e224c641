"""Keeping what the models say of a study: levels keep their identity from one reading to the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from sqlalchemy.orm import Session

from spine_fracture.anatomy import Level, usual_levels
from spine_fracture.cohort.audit import record
from spine_fracture.cohort.models import LevelSlice, LevelSource, Prediction, Study, StudyLevel
from spine_fracture.cohort.studies import find_study
from spine_fracture.errors import InputError, NotFoundError
from spine_fracture.geometry import PatientBox
from spine_fracture.levels import LevelReading, SliceBox, StudyReading, slice_to_open

#: Two boxes nearer than this share of their height are the same vertebra: neighbours are 1.2 heights apart.
SAME_PLACE = 0.5
#: What people draw belongs to the level whose centre is nearer than this share of its height.
_DRAWN_ON = 0.6
#: The event of a reading that said something new.
STUDY_READ = "study.read"
#: Numbers that differ by less were computed by the same models from the same pictures.
_SAME_NUMBER = 1e-4


def find_level(session: Session, level_id: int) -> StudyLevel:
    level = session.get(StudyLevel, level_id)
    if level is None:
        raise NotFoundError(f"There is no level {level_id}: take one from the queue or the study.")
    return level


def slices_to_open(slices: Sequence[LevelSlice]) -> tuple[LevelSlice, ...]:
    """One slice of each series."""
    by_series: dict[int, list[LevelSlice]] = {}
    for part in slices:
        by_series.setdefault(part.series_id, []).append(part)
    return tuple(map(slice_to_open, by_series.values()))


def store_reading(session: Session, reading: StudyReading) -> tuple[StudyLevel, ...]:
    """Keep the levels of ``reading`` and what was predicted of them; returns them in the reading's order.

    A vertebra found before, at the same place, keeps its row and its reads; its boxes and name are
    brought up to date and the prediction is added to those of earlier models. One that is no longer
    found stays, as not current. What a reader drew, removed or renamed stays as the reader left it
    and only gets the prediction; where readers moved the names, new levels are named to fit.
    Storing the same reading twice changes nothing.
    """
    study = find_study(session, reading.study_uid)
    known = [level for level in study.levels if level.source is not LevelSource.REFERENCE]
    matched = match(known, reading.levels)
    moved = _names_moved_by(reading.levels, matched)
    stored: list[StudyLevel] = []
    changed = False
    for level, before in zip(reading.levels, matched, strict=True):
        row = before or new_level(study, level.name, level.box, LevelSource.DETECTED)
        if row.edited_by is None:
            name = moved_name(level.name, moved) or level.name
            changed |= outline(row, name, level.box, level.slices, numbering_sure=level.numbering_sure)
        changed |= _add_prediction(row, level, reading)
        stored.append(row)
    for row in known:
        if row.current and row.edited_by is None and row not in stored:
            row.current = False
            changed = True
    changed |= _describe(study, reading)
    if changed:
        session.flush()
        record(
            session,
            STUDY_READ,
            f"study:{study.id}",
            model_version=versions(reading.detector_version, reading.classifier_version),
            details={"levels": [f"{row.id}:{row.name}" for row in stored]},
        )
    return tuple(stored)


def versions(detector: str, classifier: str) -> str:
    """The two models of a reading, as its event names them."""
    return f"{detector} {classifier}"


def match(known: Sequence[StudyLevel], found: Sequence[LevelReading]) -> tuple[StudyLevel | None, ...]:
    """For each level found, the known one that is the same vertebra, or None.

    Same place first (box centres nearer than half a height), then those that are current, then the
    same name, then the nearest; no known level is given twice.
    """
    pairs = sorted(
        (not level.current, level.name is not reading.name, distance, i, j)
        for i, reading in enumerate(found)
        for j, level in enumerate(known)
        if (distance := apart(level.box, reading.box)) < SAME_PLACE
    )
    result: list[StudyLevel | None] = [None] * len(found)
    taken: set[int] = set()
    for *_, i, j in pairs:
        if result[i] is None and j not in taken:
            result[i] = known[j]
            taken.add(j)
    return tuple(result)


def moved_name(name: Level, by: int, column: tuple[Level, ...] | None = None) -> Level | None:
    """The name ``by`` places further down ``column`` (default: the usual spine); None beyond its ends."""
    names = column or usual_levels()
    at = names.index(name) + by if name in names else -1
    return names[at] if 0 <= at < len(names) else None


def _names_moved_by(found: Sequence[LevelReading], rows: Sequence[StudyLevel | None]) -> int:
    """By how many places readers moved the names of this study; 0 when they moved them unalike."""
    names = usual_levels()
    moves = {
        names.index(row.name) - names.index(reading.name)
        for reading, row in zip(found, rows, strict=True)
        if row is not None and row.current and row.edited_by and {row.name, reading.name} <= set(names)
    }
    return moves.pop() if len(moves) == 1 else 0


def apart(first: PatientBox, second: PatientBox) -> float:
    """Distance of the centres in the plane of the pictures, in mean heights of the two boxes."""
    return first.in_plane_mm(second.centre) / float((first.size[1] + second.size[1]) / 2)


def level_at(levels: Sequence[StudyLevel], away: Callable[[StudyLevel], float]) -> StudyLevel | None:
    """The level that something was drawn on, ``away`` from each in heights of that level; None beside all."""
    nearest = min(levels, key=away, default=None)
    return None if nearest is None or away(nearest) > _DRAWN_ON else nearest


def new_level(study: Study, name: Level, box: PatientBox, source: LevelSource) -> StudyLevel:
    """A level of ``study`` that :func:`outline` is yet to draw: its version is 0."""
    row = StudyLevel(name=name, box=box, numbering_sure=False, source=source, version=0)
    study.levels.append(row)
    return row


def outline(
    row: StudyLevel, name: Level, box: PatientBox, slices: Sequence[SliceBox], *, numbering_sure: bool
) -> bool:
    """Give a level its name and boxes; whether that changed anything (then its version grows)."""
    series = {series.uid: series for series in row.study.series}
    unknown = {s.series_uid for s in slices} - series.keys()
    if unknown:
        raise InputError("A box lies on a series that the study does not have: ingest the study again.")
    wanted = {(series[s.series_uid].id, s.slice_index): s for s in slices}
    kept = {(s.series_id, s.slice_index): s for s in row.slices}
    same = (
        row.version > 0
        and (row.current, row.name, row.numbering_sure) == (True, name, numbering_sure)
        and _same_box(row.box, box)
        and wanted.keys() == kept.keys()
        and all(_same_slice(kept[at], wanted[at]) for at in wanted)
    )
    if same:
        return False
    row.name, row.box, row.numbering_sure, row.current = name, box, numbering_sure, True
    row.version += 1
    for at in kept.keys() - wanted.keys():
        row.slices.remove(kept[at])
    for at, given in wanted.items():
        stored = kept.get(at)
        if stored is None:
            stored = LevelSlice(series=series[given.series_uid], slice_index=given.slice_index)
            row.slices.append(stored)
        stored.sop_uid, stored.box, stored.score = given.slice_uid, given.box, given.score
    return True


def _same_box(old: PatientBox, new: PatientBox) -> bool:
    return all(
        np.allclose(getattr(old, part), getattr(new, part), atol=_SAME_NUMBER)
        for part in ("centre", "size", "axes")
    )


def _same_slice(old: LevelSlice, new: SliceBox) -> bool:
    numbers = ((*old.box.as_tuple(), old.score), (*new.box.as_tuple(), new.score))
    return old.sop_uid == new.slice_uid and bool(np.allclose(*numbers, atol=_SAME_NUMBER))


def _add_prediction(row: StudyLevel, level: LevelReading, reading: StudyReading) -> bool:
    new = Prediction(
        detector_version=reading.detector_version,
        classifier_version=reading.classifier_version,
        probabilities=[float(p) for p in level.probabilities],
        uncertainty=level.uncertainty,
        reasons=list(level.reasons),
        detection_score=level.detection_score,
        detector_abnormal=level.detector_abnormal,
    )
    if row.predictions and _same_prediction(row.predictions[-1], new):
        return False
    row.predictions.append(new)
    return True


def _same_prediction(old: Prediction, new: Prediction) -> bool:
    return (
        old.detector_version == new.detector_version
        and old.classifier_version == new.classifier_version
        and bool(np.allclose(old.probabilities, new.probabilities, atol=_SAME_NUMBER))
        and abs(old.detection_score - new.detection_score) < _SAME_NUMBER
        and abs(old.detector_abnormal - new.detector_abnormal) < _SAME_NUMBER
    )


def _describe(study: Study, reading: StudyReading) -> bool:
    residual = reading.residual_px
    before = (study.registered, study.numbering_sure, study.notes, study.residual_px is None)
    after = (reading.registered, reading.numbering_sure, list(reading.notes), residual is None)
    if before == after and abs((study.residual_px or 0.0) - (residual or 0.0)) < _SAME_NUMBER:
        return False
    study.residual_px, study.registered = residual, reading.registered
    study.numbering_sure, study.notes = reading.numbering_sure, list(reading.notes)
    return True
