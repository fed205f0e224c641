"""All figures of a yes-or-no question, against scikit-learn, torchmetrics and by hand."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
import sklearn.metrics as reference
import torch
from made_up import answers_of, case
from sklearn.calibration import calibration_curve
from torchmetrics.functional.classification import binary_calibration_error

from spine_fracture.anatomy import Level
from spine_fracture.evaluation.answers import Answers, Part
from spine_fracture.evaluation.cases.binary import BinaryResult, Metric, judge_scores
from spine_fracture.evaluation.cases.judging import judge
from spine_fracture.evaluation.cases.scores import Scores, Unit, unit_scores
from spine_fracture.evaluation.cases.thresholds import Threshold
from spine_fracture.evaluation.statistics.calibration import reliability
from spine_fracture.evaluation.statistics.decision_curve import decision_curve
from spine_fracture.evaluation.statistics.intervals import Resampling, auc_interval, drawn_auc

HALF = Threshold(0.5, "as told")
QUICK = Resampling(draws=300)


@pytest.fixture(scope="module")
def scores(model: Callable[..., Answers]) -> Scores:
    return unit_scores(model(1.0, patients=180), Part.TEST, Unit.LEVEL)


@pytest.fixture(scope="module")
def result(scores: Scores) -> BinaryResult:
    return judge_scores(scores, Part.TEST, "malignant_or_benign", HALF, QUICK)


def test_every_value_is_scikit_learns(scores: Scores, result: BinaryResult) -> None:
    truth, called = scores.positive, scores.score >= 0.5
    expected = {
        Metric.SENSITIVITY: reference.recall_score(truth, called),
        Metric.SPECIFICITY: reference.recall_score(~truth, ~called),
        Metric.PPV: reference.precision_score(truth, called),
        Metric.NPV: reference.precision_score(~truth, ~called),
        Metric.ACCURACY: reference.accuracy_score(truth, called),
        Metric.BALANCED_ACCURACY: reference.balanced_accuracy_score(truth, called),
        Metric.F1: reference.f1_score(truth, called),
        Metric.MACRO_F1: reference.f1_score(truth, called, average="macro"),
        Metric.AUC: reference.roc_auc_score(truth, scores.score),
        Metric.BRIER: reference.brier_score_loss(truth, scores.score),
    }
    assert set(expected) == set(Metric)
    for metric, value in expected.items():
        found = result.of(metric)
        assert found is not None
        assert found.value == pytest.approx(value), metric
        assert found.low < found.value < found.high
    tn, fp, fn, tp = reference.confusion_matrix(truth, called).ravel()
    counts = result.counts
    assert (counts.true_negative, counts.false_positive) == (tn, fp)
    assert (counts.false_negative, counts.true_positive) == (fn, tp)
    assert result.missing == ()


def test_the_drawn_auc_is_that_of_the_drawn_cases(scores: Scores) -> None:
    """One draw at a time, patients repeated, scikit-learn's AUC."""
    how = Resampling(draws=40)
    found = auc_interval(scores.score, scores.positive, [c.patient for c in scores.cases], how)
    weights = np.random.default_rng(how.seed).multinomial(
        scores.patients, np.full(scores.patients, 1 / scores.patients), size=how.draws
    )
    areas = [
        reference.roc_auc_score(scores.positive, scores.score, sample_weight=w[scores.index]) for w in weights
    ]
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(areas, [0.025, 0.975])))


def _two_folds() -> Answers:
    """Two models of a cross-validation, each perfect, one of them never surer than 0.4."""
    return answers_of(
        [
            case(f"{fold}-{n}", Level.L1, low + 0.01 * n + (0.2 if n % 2 else 0.0), bool(n % 2), fold=fold)
            for fold, low in (("fold-1", 0.05), ("fold-2", 0.6))
            for n in range(10)
        ]
    )


def test_the_auc_of_folds_counts_pairs_of_one_model() -> None:
    answers = _two_folds()
    found = judge(answers, resampling=QUICK)[0]
    assert found.models == 2 and found.auc is not None and found.auc.value == 1.0
    assert found.auc_delong is None and "auc" not in " ".join(found.missing)
    pooled = answers.model_copy(
        update={"cases": tuple(c.model_copy(update={"fold": ""}) for c in answers.cases)}
    )
    one = judge(pooled, resampling=QUICK)[0]
    assert one.models == 1 and one.auc is not None and one.auc.value == 0.75 and one.auc_delong is not None


def test_the_drawn_auc_of_folds_is_that_of_their_drawn_pairs() -> None:
    """One draw at a time: pairs won over pairs met, both summed over the folds."""
    rng, how = np.random.default_rng(5), Resampling(draws=30)
    score, positive, fold = rng.random(40), rng.random(40) < 0.5, np.arange(40) % 3
    drawn = drawn_auc(score, positive, np.arange(40), how, models=fold)
    weights = np.random.default_rng(how.seed).multinomial(40, np.full(40, 1 / 40), size=how.draws)
    for w, value in zip(weights, drawn[1:], strict=True):
        pairs = np.outer(w * positive, w * ~positive) * (fold[:, None] == fold)
        assert value == pytest.approx((pairs * (score[:, None] > score)).sum() / pairs.sum())


def test_folds_of_one_kind_each_have_no_auc_and_say_so() -> None:
    cases = [case(f"p{n}", Level.L1, 0.1 * n, n > 4, fold=f"fold-{n > 4}") for n in range(10)]
    found = judge(answers_of(cases), resampling=QUICK)[0]
    assert (
        found.auc is None and "auc: no model of a fold judged a positive and a negative case" in found.missing
    )


def test_levels_of_a_patient_widen_the_interval(scores: Scores) -> None:
    """Each case four times, once as one patient and once as four: only the latter promises more."""
    four = Scores(
        Unit.LEVEL,
        tuple(c.model_copy(update={"patient": f"{c.patient}/{n}"}) for n in range(4) for c in scores.cases),
        np.tile(scores.positive, 4),
        np.tile(scores.score, 4),
    )
    one = Scores(Unit.LEVEL, scores.cases * 4, four.positive, four.score)
    widths = []
    for some in (one, four):
        found = judge_scores(some, Part.TEST, "q", HALF, QUICK).accuracy
        assert found is not None
        widths.append(found.high - found.low)
    assert widths[0] > 1.5 * widths[1]


def test_calibration_is_that_of_torchmetrics_and_scikit_learn(scores: Scores, result: BinaryResult) -> None:
    expected = binary_calibration_error(
        torch.tensor(scores.score), torch.tensor(scores.positive.astype(int)), n_bins=10, norm="l1"
    )
    assert result.ece == pytest.approx(float(expected), abs=1e-6)
    observed, predicted = calibration_curve(scores.positive, scores.score, n_bins=10)
    assert [p.observed for p in result.reliability] == pytest.approx(observed.tolist())
    assert [p.predicted for p in result.reliability] == pytest.approx(predicted.tolist())
    assert sum(p.cases for p in result.reliability) == len(scores)


def test_reliability_by_hand() -> None:
    points, error = reliability([0.05, 0.15, 0.15, 1.0], [False, False, True, True])
    assert [(p.predicted, p.observed, p.cases) for p in points] == [
        (0.05, 0.0, 1),
        (0.15, 0.5, 2),
        (1.0, 1.0, 1),
    ]
    assert error == pytest.approx((0.05 + 2 * 0.35 + 0) / 4)


def test_decision_curve_by_hand() -> None:
    """Of 10, 4 ill. From 0.2 on 3 of the ill and 2 of the others are treated: 3/10 - 2/10 * 0.2/0.8."""
    score = [0.9, 0.8, 0.3, 0.1, 0.4, 0.25, 0.1, 0.1, 0.1, 0.0]
    ill = [True] * 4 + [False] * 6
    curve = {point.probability: point for point in decision_curve(score, ill)}
    low, high = curve[0.2], curve[0.5]
    assert (low.model, low.treat_all) == pytest.approx((0.3 - 0.2 / 4, 0.4 - 0.6 / 4))
    assert (high.model, high.treat_all) == pytest.approx((0.2, 0.4 - 0.6))


def test_a_share_of_one_has_an_interval_all_the_same() -> None:
    """47 of 47 patients: Clopper and Pearson's lower end is 0.025 to the power of 1/47."""
    cases = [case(f"m{n}", Level.L1, 0.9, True) for n in range(47)]
    cases += [case(f"b{n}", Level.L1, 0.1 + 0.8 * (n == 0), False) for n in range(20)]
    found = judge(answers_of(cases), resampling=QUICK)[0]
    assert found.sensitivity is not None
    assert (found.sensitivity.value, found.sensitivity.high) == (1.0, 1.0)
    assert found.sensitivity.low == pytest.approx(0.025 ** (1 / 47))


def test_what_one_class_does_not_allow_is_missing_with_the_reason() -> None:
    cases = [case(f"p{n}", Level.L1, 0.1 * n, False) for n in range(4)]
    found = judge(answers_of(cases), resampling=QUICK)[0]
    assert found.sensitivity is None and found.auc is None and found.auc_delong is None
    assert found.roc == ()
    assert found.specificity is not None and found.specificity.value == 1.0
    assert "auc: there is no positive case" in found.missing
    assert found.threshold.rule.startswith("0.5 (validation has 0 positive")


def test_each_part_and_unit_is_judged_and_validation_is_not(model: Callable[..., Answers]) -> None:
    results = judge(model(1.5), resampling=QUICK)
    assert [(r.part, r.unit) for r in results] == [(p, u) for p in (Part.TEST, Part.EXTERNAL) for u in Unit]
    assert {r.threshold.rule for r in results} == {
        "greatest Youden index on 79 validation cases",
        "greatest Youden index on 40 validation cases",
    }
    assert judge(answers_of([case("alone", Level.L1, 0.5, True)])) == ()


def test_validation_cases_touch_the_threshold_alone(
    model: Callable[..., Answers],
) -> None:
    answers = model(1.5)
    fewer = answers.model_copy(update={"cases": tuple(c for c in answers.cases if c.part is Part.TEST)})
    both = [unit_scores(a, Part.TEST, Unit.LEVEL) for a in (answers, fewer)]
    one, other = (judge_scores(scores, Part.TEST, "q", HALF, QUICK) for scores in both)
    assert one == other


def test_the_order_of_patients_changes_no_value(scores: Scores, result: BinaryResult) -> None:
    order = np.random.default_rng(3).permutation(len(scores))
    mixed = Scores(
        scores.unit, tuple(scores.cases[at] for at in order), scores.positive[order], scores.score[order]
    )
    found = judge_scores(mixed, Part.TEST, "malignant_or_benign", HALF, QUICK)
    for metric in Metric:
        one, other = result.of(metric), found.of(metric)
        assert one is not None and other is not None
        assert other.value == pytest.approx(one.value)
    assert found.roc == result.roc


def test_two_thousand_draws_of_three_hundred_patients_take_no_second(model: Callable[..., Answers]) -> None:
    scores = unit_scores(model(1.0, patients=900), Part.TEST, Unit.LEVEL)

    def seconds() -> float:
        start = time.process_time()
        judge_scores(scores, Part.TEST, "q", HALF)
        return time.process_time() - start

    assert min(seconds() for _ in range(3)) < 1
