"""Every patient of a cohort judged by a model that never saw them, in a run that goes on where it stopped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from several_studies import exam, write_cohort

from spine_fracture.anatomy import Diagnosis, Level
from spine_fracture.bundle import read_manifest
from spine_fracture.cohort.splits import Split
from spine_fracture.errors import InputError
from spine_fracture.evaluation.answers import QUESTIONS, Answers, Case, Cost, Part, is_positive
from spine_fracture.evaluation.boxes import BoxAnswer, BoxAnswers, PictureAnswer
from spine_fracture.evaluation.cases.gallery import gallery
from spine_fracture.evaluation.cases.judging import judge
from spine_fracture.evaluation.detection.gallery import worst_pictures
from spine_fracture.evaluation.detection.judging import judge_boxes
from spine_fracture.evaluation.statistics.intervals import Resampling
from spine_fracture.evaluation.statistics.metrics import auc
from spine_fracture.training.cohorts.radiograph_cache import (
    RadiographCache,
    RadiographCacheWriter,
    RadiographLabel,
)
from spine_fracture.training.cohorts.study_cache import StudyCache, StudyCacheWriter
from spine_fracture.training.comparisons.comparison import RunRecord, RunResult
from spine_fracture.training.comparisons.cross_validation import (
    cross_validate,
    folds_by_centre,
    folds_by_patient,
    joined,
    write_view,
)
from spine_fracture.training.systems.families import System, load_system
from spine_fracture.training.systems.family import EpochLine

FRACTURES = (Diagnosis.BENIGN_FRACTURE, Diagnosis.MALIGNANT)
RECORD = RunRecord(
    entry="fold", system="d", family="yolo", kind="detector", paper="", seed=1, cohort="c",
    cohort_name="c-1", teaching=3, recipe="r", version="v", parameters=1, machine="here",
)  # fmt: skip


@pytest.fixture(scope="module")
def system() -> System:
    return load_system("intensity_regression")


def test_each_patient_is_judged_by_a_model_that_never_saw_them(
    system: System, small_cohort: Path, tmp_path: Path
) -> None:
    labels = StudyCache(small_cohort / "studies").labels
    folds = folds_by_patient(small_cohort, 5, 1)
    told: list[str | EpochLine] = []
    results, work = tmp_path / "results", tmp_path / "work"
    judged = cross_validate(system, small_cohort, folds, 1, results, work, "here", told.append)
    answers = judged.answers
    assert isinstance(answers, Answers) and judged.boxes is None
    inside = {label.patient for label in labels if not label.external}
    levels = [case for case in answers.cases if case.level]
    for part in (Part.TEST, Part.VALIDATION):
        assert sorted(case.patient for case in levels if case.part is part) == sorted(inside)
    assert (answers.cohort, answers.version[:28]) == ("small", "intensity_regression-5-folds")
    for fold in folds:
        (bundle,) = (work / fold.name).iterdir()
        taught = set(read_manifest(bundle).training_patients)
        for part, patients in ((Part.VALIDATION, fold.validation), (Part.TEST, fold.test)):
            assert {c.patient for c in levels if (c.fold, c.part) == (fold.name, part)} == patients
        assert taught == fold.training and not taught & fold.test
        assert taught <= inside
    asked = answers.asked(Part.TEST)
    area = auc(answers.scores(asked), is_positive(asked, QUESTIONS[answers.question]))
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
    cases = judged.answers.asked(Part.TEST)
    assert sorted(case.patient for case in cases if case.level) == [f"patient-{n:02d}" for n in range(30)]
    assert {case.centre for case in cases} == {"A", "B", "C"}
    # Its own patients, who are for validation in other folds, have no say in how a centre is judged.
    for name, fold in judged.answers.by_fold().items():
        centres = [{case.centre for case in fold.asked(part)} for part in (Part.TEST, Part.VALIDATION)]
        assert centres[0] == {name[-1]} and centres[1] and not centres[0] & centres[1]


def test_a_view_shares_the_pixels_and_changes_who_teaches(small_cohort: Path, tmp_path: Path) -> None:
    fold = folds_by_patient(small_cohort, 5, 2)[0]
    write_view(small_cohort, tmp_path, "view", fold)
    own, seen = StudyCache(small_cohort / "studies"), StudyCache(tmp_path / "studies")
    assert (tmp_path / "studies" / "pixels.bin").is_symlink()
    assert seen.name == "small-view"
    for before, after in zip(own, seen, strict=True):
        np.testing.assert_array_equal(before.pixels, after.pixels)
        side = fold.split_of(before.label.patient)
        if before.label.external:
            assert side is None and after.label == before.label
        else:
            assert after.label == before.label.model_copy(update={"split": side})
    # Whoever writes a cache where a view was does not write through to the cohort.
    size = (small_cohort / "studies" / "pixels.bin").stat().st_size
    with StudyCacheWriter(tmp_path / "studies", "small-view"):
        pass
    assert (small_cohort / "studies" / "pixels.bin").stat().st_size == size


def test_boxes_of_folds_are_joined_too() -> None:
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
        results.append(RunResult(RECORD.model_copy(update={"entry": f"fold-{number}"}), None, boxes))
    both = joined(results, "whole").boxes
    assert both is not None and both.cohort == "whole"
    kept = [(picture.picture, picture.fold) for picture in both.pictures]
    assert kept == [(f"{part}-{n}", f"fold-{n}") for n in range(2) for part in ("validation", "test")]
    assert both.cost == Cost(seconds=4, pictures=20, waited=1.0, device="CPU", device_mib=1)


def test_each_fold_is_judged_at_its_own_threshold() -> None:
    """Of two models, all right, one is less sure than the other, and less than half."""
    there, beside = (0.0, 0.0, 10.0, 10.0), (50.0, 50.0, 60.0, 60.0)
    results = []
    for fold, right, wrong in (("fold-1", 0.3, 0.1), ("fold-2", 0.9, 0.6)):
        pictures = tuple(
            PictureAnswer(
                picture=f"{fold}-{part}-{n}", part=part, patient=f"{fold}-{part}-{n}",
                predicted=(
                    BoxAnswer(label="L1", box=there, score=right),
                    BoxAnswer(label="L1", box=beside, score=wrong),
                ),
                reference=(BoxAnswer(label="L1", box=there),),
            )
            for part in Part for n in range(3)
        )  # fmt: skip
        cases = tuple(
            Case(
                part=part, patient=f"{fold}-{part}-{n}", level=Level.L1, truth=FRACTURES[n % 2],
                probabilities=(1 - score, score),
            )
            for part in Part for n in range(10) for score in [right if n % 2 else wrong]
        )  # fmt: skip
        told = {"system": "d", "version": fold, "seed": 1, "cohort": fold}
        answers = Answers(**told, question="malignant_or_benign", classes=FRACTURES, cases=cases)
        boxes = BoxAnswers(**told, task="levels", labels=("L1",), pictures=pictures)
        results.append(RunResult(RECORD.model_copy(update={"entry": fold}), answers, boxes))
    together = joined(results, "whole")
    assert together.answers is not None and together.boxes is not None
    (found,) = judge_boxes(together.boxes, resampling=Resampling(draws=20))
    assert found.part is Part.TEST and (found.patients, found.recall.value) == (6, 1.0)
    assert (
        found.precision is not None
        and found.precision.value == 1
        and not worst_pictures(together.boxes, Part.TEST, found.threshold, 3)
    )
    assert found.threshold.folds == pytest.approx({"fold-1": 0.2, "fold-2": 0.75})
    assert "no box was rightly found" not in found.threshold.rule
    by_level = next(r for r in judge(together.answers, resampling=Resampling(draws=20)) if r.unit == "level")
    assert by_level.accuracy is not None and (by_level.cases, by_level.accuracy.value) == (20, 1.0)
    assert by_level.threshold.folds == pytest.approx({"fold-1": 0.2, "fold-2": 0.75})
    wrongly = gallery(together.answers)
    assert not wrongly.false_positives and not wrongly.false_negatives


def both(small_cohort: Path, folder: Path, names: Sequence[str]) -> Path:
    """The small cohort beside radiographs of these patients, every second of them malignant."""
    (folder / "studies").symlink_to(small_cohort / "studies")
    with RadiographCacheWriter(folder / "radiographs", "films") as writer:
        for number, name in enumerate(names):
            label = RadiographLabel(
                patient=name, centre="A", split=Split.TRAIN, levels=((), ()),
                diagnosis=Diagnosis.MALIGNANT if number % 2 else Diagnosis.NORMAL,
            )  # fmt: skip
            writer.add(label, np.zeros((2, 4, 4), np.uint8))
    return folder


def test_studies_and_radiographs_of_other_patients_are_divided_each(
    small_cohort: Path, tmp_path: Path
) -> None:
    films = [f"film-{n}" for n in range(12)] + ["patient-00", "patient-01"]
    cohort = both(small_cohort, tmp_path, films)
    folds = folds_by_patient(cohort, 3, 1)
    judged = []
    for fold in folds:
        here = fold.test & {f"film-{n}" for n in range(12)}
        assert len(here) == 4 and sum(int(name[5:]) % 2 for name in here) == 2
        write_view(cohort, tmp_path / fold.name, "view", fold)
        caches = (
            StudyCache(tmp_path / fold.name / "studies"),
            RadiographCache(tmp_path / fold.name / "radiographs"),
        )
        assert [cache.name for cache in caches] == ["small-view", "films-view"]
        for cache in caches:
            sides = [(label.patient, label.split) for label in cache.labels if not label.external]
            assert all(fold.split_of(patient) is split for patient, split in sides)
        judged += [patient for patient in fold.test if patient in films]
    assert sorted(judged) == sorted(films)


def test_a_patient_stands_among_those_of_the_gravest_of_all_their_studies(tmp_path: Path) -> None:
    patients = [f"p{number:02d}" for number in range(12)]
    ill = set(patients[::2])
    first = [exam(p, Diagnosis.MALIGNANT if p in ill else Diagnosis.BENIGN_FRACTURE) for p in patients]
    cohort = write_cohort(tmp_path, [*first, *(exam(p, Diagnosis.NORMAL) for p in patients)])
    for fold in folds_by_patient(cohort, 6, 1):
        assert len(fold.test) == 2 and len(fold.test & ill) == 1


def test_a_system_is_named_for_the_cache_that_it_answered(
    system: System, small_cohort: Path, tmp_path: Path
) -> None:
    cohort = both(small_cohort, tmp_path, [f"film-{n}" for n in range(6)])
    (fold, *_) = folds_by_patient(cohort, 3, 1)
    judged = cross_validate(system, cohort, [fold], 1, tmp_path / "r", tmp_path / "w", "here", print)
    assert judged.answers is not None and judged.answers.cohort == "small"


def test_a_patient_of_two_centres_cannot_be_left_out(small_cohort: Path, tmp_path: Path) -> None:
    other = next(label for label in StudyCache(small_cohort / "studies").labels if label.centre != "A")
    with pytest.raises(InputError, match=f"{other.patient} is of the centres {other.centre} and A"):
        folds_by_centre(both(small_cohort, tmp_path, [other.patient]), 1)


def test_a_patient_who_is_judged_twice_is_refused(system: System, small_cohort: Path, tmp_path: Path) -> None:
    first, second, *_ = folds_by_patient(small_cohort, 5, 1)
    patient = min(first.test)
    folds = [first, replace(second, test=second.test | {patient})]
    with pytest.raises(InputError, match=f"{patient} is judged in fold-01 and in fold-02"):
        cross_validate(system, small_cohort, folds, 1, tmp_path / "r", tmp_path / "w", "here", print)
    assert not (tmp_path / "r").exists()


def test_figures_of_single_folds_are_no_figures_of_all() -> None:
    def answers(number: int) -> Answers:
        return Answers(
            system="chou", version=f"v{number}", seed=1, cohort=f"fold-{number}",
            question="malignant_or_benign", classes=(Diagnosis.MALIGNANT,), cases=(),
            figures={"test lateral AUC": 0.6 + number / 10},
        )  # fmt: skip

    together = joined([RunResult(RECORD, answers(number), None) for number in (1, 2)], "films").answers
    assert together is not None and (together.figures, together.cohort) == ({}, "films")


def test_a_folder_without_patients_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no cohort"):
        folds_by_patient(tmp_path, 5, 1)
