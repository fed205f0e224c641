"""The gate promotes the better, keeps the champion otherwise, and says what is missing."""

from __future__ import annotations

import json

import numpy as np
import pytest

from spine_fracture.anatomy import MODEL_CLASSES, Diagnosis
from spine_fracture.configuration import checked
from spine_fracture.errors import InputError
from spine_fracture.training.gate import GateConfig, GateDecision, TestLevel, Verdict, decide


def levels(champion_errors: float, candidate_errors: float, patients: int = 30) -> list[TestLevel]:
    """Ten levels a patient, the four classes in turn, each model wrong at its own rate."""
    rng = np.random.default_rng(8)

    def answer(truth: Diagnosis, errors: float) -> Diagnosis:
        wrong = rng.random() < errors
        return MODEL_CLASSES[(MODEL_CLASSES.index(truth) + 1) % 4] if wrong else truth

    truths = [(f"p{p}", MODEL_CLASSES[i % 4]) for p in range(patients) for i in range(10)]
    return [TestLevel(p, t, answer(t, champion_errors), answer(t, candidate_errors)) for p, t in truths]


def judged(rows: list[TestLevel], config: GateConfig | None = None) -> GateDecision:
    return decide(rows, champion="old-1", candidate="new-2", config=config)


def test_a_clearly_better_candidate_is_promoted() -> None:
    decision = judged(levels(0.3, 0.1))
    assert decision.verdict is Verdict.PROMOTE
    assert decision.difference is not None and decision.difference.low > 0
    assert decision.candidate_macro_f1 > decision.champion_macro_f1


@pytest.mark.parametrize(("champion", "candidate"), [(0.2, 0.2), (0.1, 0.3)])
def test_the_equal_and_the_worse_are_not(champion: float, candidate: float) -> None:
    assert judged(levels(champion, candidate)).verdict is Verdict.KEEP


def test_identical_answers_are_not_better() -> None:
    rows = [TestLevel(r.patient, r.truth, r.champion, r.champion) for r in levels(0.2, 0.2)]
    assert judged(rows).verdict is Verdict.KEEP


def test_a_margin_asks_for_more() -> None:
    assert judged(levels(0.3, 0.1), GateConfig(margin=0.5)).verdict is Verdict.KEEP


@pytest.mark.parametrize(
    ("setting", "value", "wanted"),
    [
        ("confidence", 95, "less than 1.0"),
        ("confidence", 0.5, "greater than 0.5"),
        ("margin", -0.05, "at least 0.0"),
        ("minimum_patients", 0, "at least 1"),
        ("minimum_malignant_levels", 0, "at least 1"),
        ("draws", 0, "at least 1"),
        ("seed", -1, "at least 0"),
    ],
)
def test_a_setting_with_which_nothing_could_be_decided_is_named(
    setting: str, value: float, wanted: str
) -> None:
    with pytest.raises(InputError, match=rf"^training\.yaml: {setting} must be {wanted}, not {value}\.$"):
        checked({setting: value}, GateConfig, "training.yaml")


def test_too_little_evidence_is_said_not_guessed() -> None:
    rows = [r for r in levels(0.5, 0.0, patients=4) if r.truth is not Diagnosis.MALIGNANT]
    rows += [TestLevel("p0", Diagnosis.MALIGNANT, Diagnosis.NORMAL, Diagnosis.MALIGNANT)] * 2
    decision = judged(rows)
    assert decision.verdict is Verdict.UNDECIDED
    assert decision.missing == (
        "needs 10 test patients, has 4",
        "needs 5 malignant test levels, has 2",
    )
    assert "needs 10 test patients, has 4" in decision.explanation


def test_no_level_at_all_is_undecided() -> None:
    decision = judged([])
    assert decision.verdict is Verdict.UNDECIDED
    assert decision.champion_macro_f1 is None and decision.difference is None


def test_answers_that_are_no_training_target_are_left_out_and_counted() -> None:
    rows = levels(0.3, 0.1)
    doubtful = [TestLevel("p0", Diagnosis.INDETERMINATE, Diagnosis.NORMAL, Diagnosis.NORMAL)] * 3
    decision = judged(rows + doubtful)
    assert decision.excluded == 3 and decision.levels == len(rows)
    assert decision.difference == judged(rows).difference


def test_the_decision_is_json_with_its_numbers() -> None:
    record = json.loads(judged(levels(0.3, 0.1)).to_json())
    assert record["verdict"] == "promote"
    assert record["difference"]["confidence"] == 0.95
    assert record["champion_classes"][2]["name"] == "malignant"
    assert json.loads(judged([]).to_json())["champion_macro_f1"] is None


def test_a_model_is_not_compared_with_itself() -> None:
    with pytest.raises(InputError):
        decide(levels(0.1, 0.1), champion="same", candidate="same")
