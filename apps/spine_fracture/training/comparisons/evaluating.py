"""Models on a cohort, with the baselines and all else that a report of them needs."""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from spine_fracture.errors import InsufficientEvidenceError
from spine_fracture.evaluation.answers import MALIGNANT_OR_BENIGN, Answers, Part
from spine_fracture.evaluation.evaluation_report import CentreRow, EvaluationReport
from spine_fracture.evaluation.features import FeatureCase, FeatureRow, feature_table
from spine_fracture.evaluation.folds import Fold
from spine_fracture.evaluation.model_report import folds_of, report_on
from spine_fracture.evaluation.readers import ReaderAnswer
from spine_fracture.evaluation.statistics import Resampling
from spine_fracture.training.cohorts.case_pictures import CasePictures
from spine_fracture.training.cohorts.folder import CohortFolder
from spine_fracture.training.cohorts.radiograph_cache import RadiographCache, RadiographLabel
from spine_fracture.training.cohorts.radiograph_cohort import RADIOGRAPHS
from spine_fracture.training.cohorts.study_cache import StudyCache, StudyLabel
from spine_fracture.training.comparisons.cross_validation import cross_validate
from spine_fracture.training.comparisons.judged_models import JudgedModel
from spine_fracture.training.systems.families import load_system
from spine_fracture.training.systems.family import Tell, with_settings

BASELINE = "intensity_regression"


def evaluated(
    models: Sequence[JudgedModel],
    cohort: Path,
    tell: Tell,
    reads: Sequence[ReaderAnswer] = (),
    resampling: Resampling | None = None,
) -> EvaluationReport:
    """The report of all ``models``, each against a baseline that is fitted on the same cohort now, over the
    same folds where it was cross-validated, and beside the readers of whom there are ``reads``.
    """
    pictures, fitted = CasePictures(cohort), dict[tuple[str, tuple[Fold, ...]], tuple[Answers, ...]]()
    reports = []
    for model in models:
        asked = (model.answers.question if model.answers else "", folds_of(model.answers, model.boxes))
        if asked not in fitted:
            fitted[asked] = _baselines(*asked, cohort, tell)
        tell(f"{model.name}: figures")
        reports.append(
            report_on(
                model.answers,
                model.boxes,
                fitted[asked],
                pictures,
                reads=reads,
                family=model.family,
                paper=model.paper,
                seeds=model.seeds,
                resampling=resampling,
            )
        )
    return EvaluationReport(
        created=datetime.now(UTC),
        cohorts=CohortFolder.open(cohort).names,
        centres=_centres(_labels(cohort)),
        features=cohort_features(cohort),
        models=tuple(reports),
    )


def _baselines(question: str, folds: Sequence[Fold], cohort: Path, tell: Tell) -> tuple[Answers, ...]:
    """The regression on intensities; none where nothing is asked, where there are no MRI studies, or too few
    to fit it on.
    """
    if not question or not (cohort / "studies").is_dir():
        return ()
    system = load_system(BASELINE)
    config = with_settings(system.config, {"question": question})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            if folds:
                again = replace(system, config=config)
                judged = cross_validate(again, cohort, folds, 0, folder / "folds", folder / "work", "", tell)
            else:
                system.family.train(config, cohort, folder, 0, tell)
                judged = system.family.answer(folder, cohort)
        except InsufficientEvidenceError as error:
            tell(f"{BASELINE} is left out: {error}")
            return ()
    return () if judged.answers is None else (judged.answers,)


def _labels(cohort: Path) -> tuple[StudyLabel | RadiographLabel, ...]:
    """The patients: of the studies where there are any, else of the radiographs."""
    if (cohort / "studies").is_dir():
        return StudyCache(cohort / "studies").labels
    return RadiographCache(cohort / RADIOGRAPHS).labels


def _centres(labels: Sequence[StudyLabel | RadiographLabel]) -> tuple[CentreRow, ...]:
    patients: dict[str, Counter[Part | None]] = defaultdict(Counter)
    for label in labels:
        patients[label.centre][label.part] += 1
    return tuple(
        CentreRow(centre, n[None], n[Part.VALIDATION], n[Part.TEST], n[Part.EXTERNAL])
        for centre, n in sorted(patients.items())
    )


def cohort_features(cohort: Path) -> tuple[FeatureRow, ...]:
    """One vertebra a patient, that which the study is about; empty where none has features."""
    if not (cohort / "studies").is_dir():
        return ()
    cases = [
        FeatureCase(level.diagnosis, frozenset(level.features))
        for label in StudyCache(cohort / "studies").labels
        for level in label.levels
        if level.level is label.index_level
    ]
    asked = (*MALIGNANT_OR_BENIGN.positive, *MALIGNANT_OR_BENIGN.negative)
    return feature_table(cases) if any(c.features for c in cases if c.diagnosis in asked) else ()
