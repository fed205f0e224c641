"""The simulated reader goes by where the box lies, errs as often as told, and always alike."""

from __future__ import annotations

from dataclasses import replace

import pytest

from spine_fracture.active_learning.queue import QueueItem, SeriesBox
from spine_fracture.active_learning.simulated_reader import ReaderHabits, SimulatedReader
from spine_fracture.anatomy import Diagnosis, Feature, Level
from spine_fracture.cohort.desk import WorkList
from spine_fracture.cohort.models import ReadMode, Role
from spine_fracture.errors import NotFoundError
from spine_fracture.geometry import PixelBox
from spine_fracture.simulation.truth import BodyBox, LevelTruthRecord, StudyTruth

NEVER_WRONG = ReaderHabits(wrong_class=0.0, missed_feature=0.0)
FEATURES = (Feature.DIFFUSE_CHANGE, Feature.SOFT_TISSUE_MASS)
TRUTH = StudyTruth(
    patient_key="phantom-000001",
    study_uid="1.2",
    centre="north",
    field_strength=1.5,
    primary_tumour=None,
    levels=tuple(
        LevelTruthRecord(
            level=level,
            diagnosis=diagnosis,
            features=features,
            primary=None,
            boxes=(BodyBox(series_uid="1.2.2", slice_index=7, slice_uid="1.2.2.7", box=box, altered=False),),
        )
        for level, diagnosis, features, box in (
            (Level.L1, Diagnosis.NORMAL, (), (100.0, 100.0, 130.0, 125.0)),
            (Level.L2, Diagnosis.MALIGNANT, FEATURES, (100.0, 130.0, 130.0, 155.0)),
        )
    ),
)


def item(box: PixelBox, level: Level = Level.L2, level_id: int = 1) -> QueueItem:
    place = SeriesBox("1.2.2", Role.T2, 7, "1.2.2.7", box)
    return QueueItem(
        level_id=level_id,
        level_version=3,
        study_uid="1.2",
        level=level,
        centre="north",
        series=(place,),
        mode=ReadMode.BLINDED,
        reason="next level",
        uncertainty=None,
        work_list=WorkList.ASSISTED,
    )


SHIFTED_L2 = PixelBox(103.0, 133.0, 133.0, 158.0)


def test_it_answers_what_lies_in_the_box_and_puts_box_and_name_right() -> None:
    read = SimulatedReader("sim", [TRUTH], NEVER_WRONG).read(item(SHIFTED_L2, Level.L3))
    assert (read.diagnosis, read.name_given) == (Diagnosis.MALIGNANT, Level.L2)
    assert read.features == frozenset(FEATURES)
    assert read.box is not None and read.box.box == PixelBox(100.0, 130.0, 130.0, 155.0)
    assert (read.mode, read.level_version) == (ReadMode.BLINDED, 3)


def test_a_box_beside_the_spine_is_indeterminate() -> None:
    read = SimulatedReader("sim", [TRUTH], NEVER_WRONG).read(item(PixelBox(10.0, 10.0, 40.0, 35.0)))
    assert (read.diagnosis, read.confidence, read.box) == (Diagnosis.INDETERMINATE, 1, None)


def test_it_errs_as_often_as_its_habits_say() -> None:
    reader = SimulatedReader("sim", [TRUTH], ReaderHabits(wrong_class=0.2))
    answers = [reader.read(item(SHIFTED_L2, level_id=n)).diagnosis for n in range(500)]
    assert 0.15 < sum(a is not Diagnosis.MALIGNANT for a in answers) / 500 < 0.25
    assert Diagnosis.INDETERMINATE not in answers


def test_the_same_level_is_always_read_alike_and_readers_differ() -> None:
    habits = ReaderHabits(wrong_class=0.5)
    first, again, other = (SimulatedReader(name, [TRUTH], habits) for name in ("a", "a", "b"))
    items = [item(SHIFTED_L2, level_id=n) for n in range(20)]
    assert [first.read(i) for i in items] == [again.read(i) for i in items]
    assert [first.read(i).diagnosis for i in items] != [other.read(i).diagnosis for i in items]


def test_it_knows_phantoms_only() -> None:
    with pytest.raises(NotFoundError, match="No truth"):
        SimulatedReader("sim", [TRUTH]).read(replace(item(SHIFTED_L2), study_uid="9.9"))
