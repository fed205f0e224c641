"""Models on a cohort, with the baselines and all else that a report of them needs."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from spine_fracture.errors import InsufficientEvidenceError
from spine_fracture.evaluation.answers import MALIGNANT_OR_BENIGN, Answers, Part
from spine_fracture.evaluation.cases.features import FeatureCase, FeatureRow, feature_table
from spine_fracture.evaluation.cases.readers import ReaderAnswer
from spine_fracture.evaluation.folds import Fold
from spine_fracture.evaluation.reports.evaluation_report import CentreRow, EvaluationReport
from spine_fracture.evaluation.reports.fold_rows import folds_of
from spine_fracture.evaluation.reports.model_report import report_on
from spine_fracture.evaluation.statistics.intervals import Resampling
from spine_fracture.training.cohorts.case_pictures import CasePictures
from spine_fracture.training.cohorts.folder import CohortFolder, caches_in
from spine_fracture.training.cohorts.radiograph_cache import RadiographCache, RadiographLabel
from spine_fracture.training.cohorts.radiograph_cohort import RADIOGRAPHS
from spine_fracture.training.cohorts.study_cache import StudyCache, StudyLabel
from spine_fracture.training.comparisons.cross_validation import cross_validate
from spine_fracture.training.comparisons.judged_models import JudgedModel
from spine_fracture.training.systems.families import load_system
from spine_fracture.training.systems.family import Tell, with_settings

BASELINE = "intensity_regression"


@dataclass(frozen=True)
class _Asked:
    """What a baseline has in common with the models that it stands beside."""

    question: str
    cache: str
    folds: tuple[Fold, ...]


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
    fitted: dict[_Asked, tuple[Answers, ...]] = {}
    reports = []
    for model in models:
        asked = None
        if model.answers is not None:
            asked = _Asked(model.answers.question, model.cohort, folds_of(model.answers, model.boxes))
            if asked not in fitted:
                fitted[asked] = _baselines(asked, cohort, tell)
        tell(f"{model.name}: figures")
        reports.append(
            report_on(
                model.answers,
                model.boxes,
                fitted[asked] if asked else (),
                CasePictures(cohort, model.cohort),
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


def _baselines(asked: _Asked, cohort: Path, tell: Tell) -> tuple[Answers, ...]:
    """The regression on intensities; none where there are too few patients to fit it on."""
    system = load_system(BASELINE)
    system = replace(system, config=with_settings(system.config, {"question": asked.question}))
    with tempfile.TemporaryDirectory() as name:
        seen, out = _alone(cohort, asked.cache, Path(name)), Path(name) / "model"
        try:
            if asked.folds:
                judged = cross_validate(system, seen, asked.folds, 0, out / "folds", out / "work", "", tell)
            else:
                system.family.train(system.config, seen, out, 0, tell)
                judged = system.family.answer(out, seen)
        except InsufficientEvidenceError as error:
            tell(f"{BASELINE} is left out: {error}")
            return ()
    return () if judged.answers is None else (judged.answers,)


def _alone(cohort: Path, cache: str, folder: Path) -> Path:
    """A cohort of the cache of this name alone: the regression looks at studies where there are any, and so
    would tell nothing of a model of radiographs.
    """
    seen = folder / "cohort"
    seen.mkdir()
    for one in caches_in(cohort):
        if one.name == cache:
            kind = "studies" if isinstance(one, StudyCache) else RADIOGRAPHS
            (seen / kind).symlink_to((cohort / kind).resolve())
    return seen


def _labels(cohort: Path) -> tuple[StudyLabel | RadiographLabel, ...]:
    """The patients: of the studies where there are any, else of the radiographs."""
    if (cohort / "studies").is_dir():
        return StudyCache(cohort / "studies").labels
    return RadiographCache(cohort / RADIOGRAPHS).labels


def _centres(labels: Sequence[StudyLabel | RadiographLabel]) -> tuple[CentreRow, ...]:
    """Each patient once, however many studies there are."""
    patients: dict[str, dict[Part | None, set[str]]] = defaultdict(lambda: defaultdict(set))
    for label in labels:
        patients[label.centre][label.part].add(label.patient)
    return tuple(
        CentreRow(centre, *(len(of[part]) for part in (None, Part.VALIDATION, Part.TEST, Part.EXTERNAL)))
        for centre, of in sorted(patients.items())
    )


def cohort_features(cohort: Path) -> tuple[FeatureRow, ...]:
    """One vertebra a patient, that which the first study of a fracture is about; empty where none has
    features.
    """
    if not (cohort / "studies").is_dir():
        return ()
    asked = (*MALIGNANT_OR_BENIGN.positive, *MALIGNANT_OR_BENIGN.negative)
    cases: dict[str, FeatureCase] = {}
    for label in StudyCache(cohort / "studies").labels:
        for level in label.levels:
            if level.level is label.index_level and level.diagnosis in asked:
                cases.setdefault(label.patient, FeatureCase(level.diagnosis, frozenset(level.features)))
    return feature_table([*cases.values()]) if any(case.features for case in cases.values()) else ()
