"""The report of a cohort's models: what it says of a cross-validation and of several seeds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from several_studies import exam, write_cohort

from spine_fracture.anatomy import Diagnosis, Feature
from spine_fracture.cohort.splits import Split
from spine_fracture.evaluation.answers import Cost, Part
from spine_fracture.evaluation.cases.features import Fourfold
from spine_fracture.evaluation.cases.scores import Unit
from spine_fracture.evaluation.reports.evaluation_report import CentreRow, EvaluationReport, render
from spine_fracture.evaluation.statistics.intervals import Resampling
from spine_fracture.evaluation.statistics.paired import holm
from spine_fracture.training.cohorts.radiograph_cache import RadiographCacheWriter, RadiographLabel
from spine_fracture.training.cohorts.study_cache import StudyCache
from spine_fracture.training.comparisons.comparison import RunRecord, RunResult, keep
from spine_fracture.training.comparisons.cross_validation import cross_validate, folds_by_centre
from spine_fracture.training.comparisons.evaluating import cohort_features, evaluated
from spine_fracture.training.comparisons.judged_models import judged_model
from spine_fracture.training.systems.families import load_system
from spine_fracture.training.systems.family import Judged

HOW = Resampling(draws=50)


def _nobody(name: str) -> Path:
    raise AssertionError(f"{name} is asked of the registry")


@pytest.fixture(scope="module")
def over_centres(small_cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> EvaluationReport:
    """The commoner class, learnt without each of the three centres, C being external otherwise."""
    out, folds = tmp_path_factory.mktemp("centres"), folds_by_centre(small_cohort, 1)
    system = load_system("majority")
    judged = cross_validate(system, small_cohort, folds, 1, out / "folds", out / "work", "here", print)
    keep(out, judged)
    return evaluated(
        [judged_model(str(out), small_cohort, _nobody, print)], small_cohort, print, resampling=HOW
    )


def test_the_baseline_of_a_cross_validation_is_fitted_over_the_same_folds(
    over_centres: EvaluationReport, small_cohort: Path
) -> None:
    (model,) = over_centres.models
    everybody = {label.patient for label in StudyCache(small_cohort / "studies").labels}
    compared = {
        row.baseline: row.difference
        for row in model.above
        if (row.part, row.unit) == (Part.TEST, Unit.PATIENT)
    }
    difference = compared["intensity regression"]
    assert difference is not None and difference.patients == difference.cases == len(everybody) == 30
    assert difference.first > 0.95 and difference.second == 0.5  # of pairs within a centre, all of them


def test_the_page_of_a_cross_validation_shows_its_folds_and_not_the_usual_division(
    over_centres: EvaluationReport,
) -> None:
    (model,) = over_centres.models
    assert [(row.name, row.test) for row in model.folds] == [(f"centre-{name}", 10) for name in "ABC"]
    assert all(row.training + row.validation + row.test == 30 for row in model.folds)
    text = render(over_centres)
    assert "centre-C" in text and "in the same folds" in text and "all 3 trainings together" in text
    assert "An external centre taught no model" not in text and "the best being 0" not in text
    assert "Mean (standard deviation)" in text and "AUC, DeLong" not in text
    (spread,) = [one for one in model.spreads if one.name == "AUC by patient"]
    assert spread.folds == 3 and f"{spread.mean:.3f} ({spread.deviation:.3f})" in text


def test_verdicts_against_baselines_are_adjusted_together(over_centres: EvaluationReport) -> None:
    (model,) = over_centres.models
    known = [row.difference for row in model.above if row.difference is not None]
    assert len(known) == 4 and any(found.p_holm > found.p_value for found in known)
    assert [found.p_holm for found in known] == list(holm([found.p_value for found in known]))


def test_a_figure_that_no_draw_changes_has_no_interval_on_the_page(over_centres: EvaluationReport) -> None:
    (model,) = over_centres.models
    found = model.of(Part.TEST, Unit.PATIENT)
    assert found is not None and found.auc is not None and not found.auc.has_interval
    text = render(over_centres)
    assert "0.500 to 0.500" not in text and "has no interval" in text


def test_a_patient_who_was_examined_again_counts_once(tmp_path: Path) -> None:
    """In the table of centres, and in that of features, where p shows a mass first and a cleft later."""
    malignant, benign = Diagnosis.MALIGNANT, Diagnosis.BENIGN_FRACTURE
    studies = [
        exam("p", Diagnosis.NORMAL),
        exam("p", malignant, features=(Feature.SOFT_TISSUE_MASS,)),
        exam("p", malignant, features=(Feature.CLEFT,)),
        exam("q", benign, features=(Feature.DARK_LINE,)),
        exam("r", benign, split=Split.TRAIN),
        exam("r", benign, split=Split.TRAIN),
    ]
    cohort = write_cohort(tmp_path / "cohort", studies)
    counts = {row.feature: row.counts for row in cohort_features(cohort)}
    assert counts[Feature.SOFT_TISSUE_MASS] == Fourfold(1, 1, 0, 2)
    assert counts[Feature.CLEFT] == Fourfold(0, 1, 0, 2)
    system = load_system("majority")
    system.family.train(system.config, cohort, tmp_path / "model", 1, print)
    judged = judged_model(str(tmp_path / "model"), cohort, _nobody, print)
    report = evaluated([judged], cohort, print, resampling=HOW)
    assert report.centres == (CentreRow("A", training=1, validation=0, test=2, external=0),)


def test_minutes_of_several_seeds_are_those_of_all(
    small_cohort: Path, tmp_path: Path, model: Callable[[int], RunResult]
) -> None:
    for seed in (1, 2):
        result = model(seed)
        keep(tmp_path / str(seed), Judged(result.answers))
        (tmp_path / str(seed) / "run.json").write_text(result.record.model_dump_json())
    judged = judged_model(str(tmp_path), small_cohort, _nobody, print)
    assert judged.answers is not None
    assert judged.answers.cost == Cost(seconds=90, pictures=2, waited=0, device="CPU")
    text = render(evaluated([judged], small_cohort, print, resampling=HOW))
    assert "1.5 minutes on CPU, all 2 trainings together</td>" in text
    assert "An external centre taught no model." in text


@pytest.fixture
def model(small_cohort: Path, tmp_path: Path) -> Callable[[int], RunResult]:
    """Makes a run of the commoner class with a seed, which took half a minute times the seed."""

    def run(seed: int) -> RunResult:
        system = load_system("majority")
        trained = system.family.train(system.config, small_cohort, tmp_path / "bundle", seed, print)
        answers = system.family.answer(tmp_path / "bundle", small_cohort).answers
        assert answers is not None
        cost = Cost(seconds=30 * seed, pictures=1, waited=0, device="CPU", epochs=9, best_epoch=4)
        record = RunRecord(
            entry="m", system="majority", family="majority", kind="classifier", paper="", seed=seed,
            cohort="c", cohort_name=answers.cohort, teaching=3, recipe="r",
            version=trained.manifest.version, parameters=1, machine="here",
        )  # fmt: skip
        return RunResult(record, answers.model_copy(update={"cost": cost, "seed": seed}), None)

    return run


@pytest.mark.parametrize("beside_studies", [False, True])
def test_a_model_of_radiographs_stands_beside_how_bright_they_are(
    small_cohort: Path, tmp_path: Path, beside_studies: bool
) -> None:
    """Metastases are bright in the first view; of 40 patients the last 20 are judged."""
    cohort = tmp_path / "cohort"
    with RadiographCacheWriter(cohort / "radiographs", "films") as writer:
        for number in range(40):
            malignant = number % 2 == 1
            label = RadiographLabel(
                patient=f"film-{number}", centre="A", split=Split.TRAIN if number < 20 else Split.TEST,
                levels=((), ()), diagnosis=Diagnosis.MALIGNANT if malignant else Diagnosis.BENIGN_FRACTURE,
            )  # fmt: skip
            writer.add(label, np.full((2, 4, 4), 90 + 60 * malignant + number, np.uint8))
    system = load_system("majority")
    system.family.train(system.config, cohort, tmp_path / "model", 1, print)
    judged = judged_model(str(tmp_path / "model"), cohort, _nobody, print)
    if beside_studies:
        (cohort / "studies").symlink_to(small_cohort / "studies")
    report = evaluated([judged], cohort, print, resampling=HOW)
    (row,) = (row for row in report.models[0].above if row.baseline == "intensity regression")
    assert row.unit is Unit.PATIENT and row.difference is not None
    assert (row.difference.patients, row.difference.first, row.difference.second) == (20, 1.0, 0.5)
