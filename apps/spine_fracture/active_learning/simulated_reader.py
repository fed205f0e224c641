"""A reader made of a phantom's truth: answers the queue in demonstrations and studies of the loop.

It knows the truth by where the box lies, not by the level's given name, so it also puts wrong names
and boxes right, as a specialist would.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spine_fracture.active_learning.queue import QueueItem, SeriesBox
from spine_fracture.active_learning.strategies import chance
from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis, Feature
from spine_fracture.cohort.reads import DrawnBox, ReadSubmission
from spine_fracture.configuration import Config
from spine_fracture.errors import NotFoundError
from spine_fracture.geometry import PixelBox
from spine_fracture.simulation.truth import LevelTruthRecord, StudyTruth

_SAME_VERTEBRA = 0.2  # IoU; neighbouring bodies do not overlap at all


class ReaderHabits(Config):
    """How good the reader is: chance of a wrong class, of an overlooked feature, and time a level in s."""

    wrong_class: float = 0.05
    missed_feature: float = 0.1
    seconds: float = 20.0
    seed: int = 2026


class SimulatedReader:
    """Answers levels of the studies whose truth it was given; the same level always alike."""

    def __init__(self, name: str, truths: Sequence[StudyTruth], habits: ReaderHabits | None = None) -> None:
        self.name = name
        self.habits = habits or ReaderHabits()
        self._truths = {truth.study_uid: truth for truth in truths}

    def read(self, item: QueueItem) -> ReadSubmission:
        """The answer for one item; indeterminate when no vertebra lies in the box."""
        truth = self._truths.get(item.study_uid)
        if truth is None:
            raise NotFoundError(f"No truth is known of study {item.study_uid}: read phantoms only.")
        rng = np.random.default_rng(chance(self.habits.seed, self.name, item.level_id))
        seconds = float(self.habits.seconds * rng.lognormal(0.0, 0.4))
        found = _vertebra_at(truth, item.series)
        if found is None:
            return self._submission(item, Diagnosis.INDETERMINATE, frozenset(), 1, seconds)
        record, drawn = found
        if record.diagnosis in MODEL_CLASSES and rng.random() < self.habits.wrong_class:
            others = [diagnosis for diagnosis in MODEL_CLASSES if diagnosis is not record.diagnosis]
            wrong = others[int(rng.integers(len(others)))]
            return self._submission(item, wrong, frozenset(), 2, seconds, record, drawn)
        seen = frozenset(f for f in record.features if rng.random() >= self.habits.missed_feature)
        confidence = int(rng.integers(3, 6))
        return self._submission(item, record.diagnosis, seen, confidence, seconds, record, drawn)

    def _submission(
        self,
        item: QueueItem,
        diagnosis: Diagnosis,
        features: frozenset[Feature],
        confidence: int,
        seconds: float,
        record: LevelTruthRecord | None = None,
        drawn: DrawnBox | None = None,
    ) -> ReadSubmission:
        return ReadSubmission(
            level_id=item.level_id,
            reader=self.name,
            mode=item.mode,
            diagnosis=diagnosis,
            features=features,
            confidence=confidence,
            seconds=seconds,
            token=f"simulated-{item.level_id}-{item.level_version}",
            name_given=record.level if record else None,
            box=drawn,
            level_version=item.level_version,
        )


def _vertebra_at(truth: StudyTruth, places: Sequence[SeriesBox]) -> tuple[LevelTruthRecord, DrawnBox] | None:
    """The vertebra that the shown boxes overlap best, and its own box there."""
    best: tuple[float, LevelTruthRecord, DrawnBox] | None = None
    for record in truth.levels:
        for body in record.boxes:
            for place in places:
                if (body.series_uid, body.slice_index) != (place.series_uid, place.slice_index):
                    continue
                box = PixelBox(*body.box)
                overlap = box.iou(place.box)
                if overlap > max(_SAME_VERTEBRA, best[0] if best else 0.0):
                    best = (overlap, record, DrawnBox(body.series_uid, body.slice_index, box))
    return None if best is None else best[1:]
