"""Every patient of a cohort judged by a model that never saw them, in a run that goes on where it stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spine_fracture.bundle import read_manifest
from spine_fracture.errors import InputError
from spine_fracture.evaluation.answers import QUESTIONS, Answers, Cost, Part, is_positive
from spine_fracture.evaluation.boxes import BoxAnswers, PictureAnswer
from spine_fracture.evaluation.metrics import auc
from spine_fracture.training.comparison import RunRecord, RunResult
from spine_fracture.training.cross_validation import (
    cross_validate,
    folds_by_centre,
    folds_by_patient,
    joined,
    write_view,
)
from spine_fracture.training.families import System, load_system
from spine_fracture.training.study_cache import StudyCache, StudyCacheWriter


@pytest.fixture(scope="module")
def system() -> System:
    return load_system("intensity_regression")


def test_each_patient_is_judged_by_a_model_that_never_saw_them(
    system: System, small_cohort: Path, tmp_path: Path
) -> None:
    labels = StudyCache(small_cohort / "studies").labels
    folds = folds_by_patient(small_cohort, 5, 1)
    told: list[str] = []
    results, work = tmp_path / "results", tmp_path / "work"
    judged = cross_validate(system, small_cohort, folds, 1, results, work, "here", told.append)
    answers = judged.answers
    assert isinstance(answers, Answers) and judged.boxes is None
    inside = {label.patient for label in labels if not label.external}
    assert sorted(case.patient for case in answers.cases if case.level) == sorted(inside)
    assert {case.part for case in answers.cases} == {Part.TEST}
    assert (answers.cohort, answers.version[:28]) == ("small", "intensity_regression-5-folds")
    for fold in folds:
        (bundle,) = (work / fold.name).iterdir()
        taught = set(read_manifest(bundle).training_patients)
        assert taught == fold.training and not taught & fold.test
        assert taught <= inside
    area = auc(answers.scores(answers.cases), is_positive(answers.cases, QUESTIONS[answers.question]))
    assert area is not None and area > 0.95
    assert not list((work / "views").iterdir())
    # A second call takes what is there; a fold whose result is missing asks its model again.
    (results / folds[2].name / "run.json").unlink()
    again: list[str] = []
    repeated = cross_validate(system, small_cohort, folds, 1, results, work, "here", again.append).answers
    assert repeated is not None and repeated.cases == answers.cases
    assert again[0].endswith("fold-03, 3 of 5") and "trained already" in again[1] and len(again) == 2


def test_a_centre_is_left_out_whole(system: System, small_cohort: Path, tmp_path: Path) -> None:
    folds = folds_by_centre(small_cohort, 1)
    judged = cross_validate(system, small_cohort, folds, 1, tmp_path / "r", tmp_path / "w", "here", print)
    assert judged.answers is not None
    cases = judged.answers.cases
    assert sorted(case.patient for case in cases if case.level) == [f"patient-{n:02d}" for n in range(30)]
    assert {case.centre for case in cases} == {"A", "B", "C"}


def test_a_view_shares_the_pixels_and_changes_who_teaches(small_cohort: Path, tmp_path: Path) -> None:
    fold = folds_by_patient(small_cohort, 5, 2)[0]
    write_view(small_cohort, tmp_path, "view", fold)
    own, seen = StudyCache(small_cohort / "studies"), StudyCache(tmp_path / "studies")
    assert (tmp_path / "studies" / "pixels.bin").is_symlink()
    assert seen.name == "view"
    for before, after in zip(own, seen, strict=True):
        np.testing.assert_array_equal(before.pixels, after.pixels)
        side = fold.split_of(before.label.patient)
        if before.label.external:
            assert side is None and after.label == before.label
        else:
            assert after.label == before.label.model_copy(update={"split": side})
    # Whoever writes a cache where a view was does not write through to the cohort.
    size = (small_cohort / "studies" / "pixels.bin").stat().st_size
    with StudyCacheWriter(tmp_path / "studies", "another"):
        pass
    assert (small_cohort / "studies" / "pixels.bin").stat().st_size == size


def test_boxes_of_folds_are_joined_too() -> None:
    record = RunRecord(
        entry="fold", system="d", family="yolo", kind="detector", paper="", seed=1, cohort="c",
        cohort_name="c-1", teaching=3, recipe="r", version="v", parameters=1, machine="here",
    )  # fmt: skip
    results = []
    for number in range(2):
        pictures = tuple(
            PictureAnswer(picture=f"{part}-{number}", part=part, patient="p", predicted=(), reference=())
            for part in Part
        )
        boxes = BoxAnswers(
            system="d", version=f"d-{number}", seed=1, cohort="c", task="levels", labels=("L1",),
            pictures=pictures,
            cost=Cost(seconds=2, pictures=10, waited=0.5, device="CPU", device_mib=number, epochs=3),
        )  # fmt: skip
        results.append(RunResult(record, None, boxes))
    both = joined(results, "whole").boxes
    assert both is not None and both.cohort == "whole"
    assert [picture.picture for picture in both.pictures] == ["test-0", "test-1"]
    assert both.cost == Cost(seconds=4, pictures=20, waited=1.0, device="CPU", device_mib=1, epochs=6)


def test_a_folder_without_patients_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no cohort"):
        folds_by_patient(tmp_path, 5, 1)
