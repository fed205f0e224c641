"""Pictures for reports of what was judged, from the cohort that it comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from spine_fracture.anatomy import Level
from spine_fracture.evaluation.answers import Case
from spine_fracture.evaluation.boxes import PictureAnswer
from spine_fracture.evaluation.reports.drawing import REFERENCE, DrawnBox, beside, data_uri, draw, grey
from spine_fracture.evaluation.reports.level_picture import level_picture
from spine_fracture.geometry import PixelBox
from spine_fracture.training.cohorts.folder import caches_in
from spine_fracture.training.cohorts.radiograph_cache import RadiographCache, RadiographLevel
from spine_fracture.training.cohorts.study_cache import LevelLabel, StudyCache, StudyLabel

_SCALE = 1.5


class CasePictures:
    """Draws any case of a cohort: a level on T1 and T2, or a patient's radiographs in both views."""

    def __init__(self, cohort: Path, judged: str) -> None:
        """``judged`` is the cache of the cohort that the answers name. There may be another beside it, of
        radiographs beside studies, in which the same keys are those of other simulated patients.
        """
        caches = [cache for cache in caches_in(cohort) if cache.name == judged]
        self._studies = next((cache for cache in caches if isinstance(cache, StudyCache)), None)
        self._radiographs = next((cache for cache in caches if isinstance(cache, RadiographCache)), None)

    def of_case(self, case: Case) -> str | None:
        """A data URI; None for a case that is not in the cohort."""
        return self._study(case) or self._radiograph(case)

    def of_boxes(self, answer: PictureAnswer) -> str | None:
        """Its slice on T1 and T2 with the boxes: green what is there, amber what was found."""
        if self._studies is None:
            return None
        pixels = self._studies.slice_called(answer.patient, answer.picture)
        if pixels is None:
            return None
        boxes = [DrawnBox(PixelBox(*box.box), box.label, REFERENCE) for box in answer.reference]
        boxes += [DrawnBox(PixelBox(*box.box), f"{box.label} {box.score:.2f}") for box in answer.predicted]
        return data_uri(beside([draw(grey(c), boxes, scale=_SCALE) for c in pixels[:2] if c.any()]))

    def _study(self, case: Case) -> str | None:
        if self._studies is None:
            return None
        labels = self._studies.labels
        shown = [(at, _shown_level(labels[at], case)) for at in self._studies.of_patient(case.patient)]
        found = [(at, level) for at, level in shown if level is not None and level.slices]
        if not found:
            return None
        # A case does not say which of its patient's studies it is of.
        at, level = max(found, key=lambda one: _likeness(labels[one[0]], one[1], case))
        place = _best_slice(level)
        pixels = self._studies[at].pixels[level.slices[place], :2]
        picture = level_picture(pixels, PixelBox(*level.boxes[place]), level.level.value)
        return data_uri(picture)

    def _radiograph(self, case: Case) -> str | None:
        if self._radiographs is None:
            return None
        at = next((n for n, la in enumerate(self._radiographs.labels) if la.patient == case.patient), None)
        if at is None:
            return None
        label, views = self._radiographs.labels[at], self._radiographs.pixels[at]
        altered = {level.level for view in label.levels for level in view if level.diagnosis == case.truth}
        parts = [
            draw(grey(np.asarray(view)), list(_marked(levels, altered)), scale=300 / view.shape[0])
            for view, levels in zip(views, label.levels, strict=True)
        ]
        return data_uri(beside(parts))


def _shown_level(label: StudyLabel, case: Case) -> LevelLabel | None:
    """The case's level; of a whole patient the one that the answer is about, or the first that made it so.
    None where nothing in the study is what the case is.
    """
    alike = [level for level in label.levels if level.diagnosis is case.truth]
    if case.level is not None:
        return next((level for level in alike if level.level is case.level), None)
    index = next((level for level in label.levels if level.level is label.index_level), None)
    return (index or alike[0]) if alike else None


def _likeness(label: StudyLabel, level: LevelLabel, case: Case) -> tuple[bool, bool]:
    """How much the level of a study is what the case is: in truth first, then in how it was examined."""
    told = case.centre, case.sequences, case.age
    return level.diagnosis is case.truth, (label.centre, "+".join(label.sequences), label.age) == told


def _best_slice(level: LevelLabel) -> int:
    """The middle one of the slices that show its finding, or of all."""
    showing = [at for at, shown in enumerate(level.shown) if shown] or list(range(len(level.slices)))
    return showing[len(showing) // 2]


def _marked(levels: Sequence[RadiographLevel], altered: set[Level]) -> Iterator[DrawnBox]:
    for level in levels:
        if level.level in altered:
            yield DrawnBox(PixelBox(*level.box), level.level.value)
